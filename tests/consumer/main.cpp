// Another project on an installed revoxel: the voxel count of a file at 1 mm, and one volume resampled in memory.
#include <cstdio>

#include "revoxel/revoxel.hpp"

int main(int argc, char** argv) {
    const revoxel::Grid grid = argc > 1 ? revoxel::io::read_nifti_header(argv[1]).grid : revoxel::Grid{{4, 5, 6}, {}};
    const revoxel::Plan plan = revoxel::make_plan(grid, revoxel::with_spacing(grid, {1.0, 1.0, 1.0}), {});
    revoxel::Volume input(plan.input, revoxel::DType::float32);
    revoxel::Volume output(plan.output, revoxel::DType::float32);
    revoxel::make_executor(plan)->run(input.view(), output.view());
    std::printf("revoxel %s: %lld voxels\n", revoxel::version(),
                static_cast<long long>(revoxel::voxel_count(plan.output)));
}

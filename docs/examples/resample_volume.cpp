// Resamples one NIfTI file to 1 mm isotropic with the library, step by step. Built and run by the tests.
#include <cstdio>

#include "revoxel/revoxel.hpp"

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: %s INPUT OUTPUT\n", argv[0]);
        return 2;
    }
    try {
        // 1. Read: stored values in memory, and a checked header that knows where every voxel lies.
        const revoxel::io::NiftiImage image = revoxel::io::read_nifti(argv[1]);

        // 2. Say the output grid: 1 mm along each axis, centred on the input.
        const revoxel::Grid grid = revoxel::with_spacing(image.header.grid, {1.0, 1.0, 1.0});

        // 3. Plan: all geometry and all weights, no voxels yet.
        revoxel::PlanOptions options;
        options.kernel = revoxel::Kernel::cubic;
        options.input_dtype = options.output_dtype = image.volume.dtype();
        const revoxel::Plan plan = revoxel::make_plan(image.header.grid, grid, options);
        std::printf("%s", plan.describe().c_str());

        // 4. Execute: the same executor for each frame and each colour component.
        const auto executor = revoxel::make_executor(plan);
        revoxel::Volume output(grid, image.volume.dtype(), image.volume.frames(), image.volume.components());
        for (std::int64_t frame = 0; frame < output.frames(); ++frame) {
            for (int component = 0; component < output.components(); ++component) {
                executor->run(image.volume.view(frame, component), output.view(frame, component));
            }
        }

        // 5. Write: everything of the input's header that is still true, and a transform that is.
        const revoxel::io::NiftiHeader header =
            revoxel::io::resampled_header(image.header, grid, output.dtype(), true, "revoxel example, cubic");
        revoxel::io::NiftiWriteOptions write;
        write.overwrite = true;
        revoxel::io::write_nifti(argv[2], header, output, write);
    } catch (const revoxel::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return revoxel::exit_code(error.code());
    }
    return 0;
}

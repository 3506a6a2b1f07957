// The oracle against the tools whose definitions it repeats: scipy, scikit-image, Pillow, ITK. The call that printed
// the constants stands beside them.
#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "oracle/lines.hpp"
#include "oracle/oracle.hpp"

namespace revoxel::oracle {
namespace {

// How the constants of edge, reflect and constant were made:
//   g = np.pad([3, -1, 4, 1, -5, 9, 2], 60, mode="edge")      # "symmetric"; "constant", constant_values=0.5
//   scipy.ndimage.map_coordinates(g, [np.array([-0.4, 0.25, 2.5, 3.75, 6.3]) + 60], order=order, mode="mirror")
// and those of mirror and wrap without padding, by mode="mirror" and "grid-wrap". scipy 1.17.1, whose own
// mode="reflect" starts its recursion inexactly on short signals (8e-7 off at order 4).
// scipy.interpolate.make_interp_spline(range(len( g)), g, k=order) gives the first to 1e-14.
TEST(Scipy, SplinesOnEveryBoundary) {
    const double at[] = {-0.4, 0.25, 2.5, 3.75, 6.3};
    using Values = std::array<double, 5>;
    const std::pair<Boundary, std::array<Values, 4>> expected[] = {
        {Boundary::edge,
         {{{3.498929307064039, 2.028170630751988, 3.7262632961934017, -5.384948081607213, 1.0328884459247933},
           {3.576507988205597, 1.8656031812807894, 4.140418066394152, -5.495691136909604, 0.8474728378497998},
           {3.677997380132372, 1.868394934652187, 4.575251683871841, -5.800997246725496, 0.5680446974742058},
           {3.6959302062818447, 1.8753462096481257, 4.828074128961292, -5.927003861503021, 0.448802105211453}}}},
        {Boundary::mirror,
         {{{1.7003751803751803, 2.4923340548340542, 3.7427849927849928, -5.412427849927849, 3.425324675324673},
           {1.6152615384615385, 2.3863581730769226, 4.20048076923077, -5.578545673076921, 3.7235346153846134},
           {1.7215086168379135, 2.4669638906811775, 4.722445315661934, -5.983658239397217, 3.572519496857536},
           {1.7721356789654836, 2.4834611300960603, 5.062849812326411, -6.199555755084745, 3.5680959669009495}}}},
        {Boundary::reflect,
         {{{3.8075303904335116, 1.948528137456364, 3.723428486544032, -5.380233220271844, 0.622404991210921},
           {4.033871521813809, 1.7259318103744419, 4.124312950875989, -5.473484197870144, 0.1273136379251228},
           {4.220627548498227, 1.6592929341224587, 4.521833277240574, -5.73487659713609, -0.3512506762881745},
           {4.27830211088371, 1.6309993915357655, 4.725720912332835, -5.809060336817158, -0.6228315613316807}}}},
        {Boundary::wrap,
         {{{2.53041420118343, 2.278106508875739, 3.7337278106508878, -5.3905325443787, 1.4937278106508871},
           {2.2476097560975608, 2.251524390243903, 4.17378048780488, -5.516768292682924, 1.4646097560975613},
           {2.0925356011156766, 2.4392624145018766, 4.671553635570113, -5.856927011376985, 1.248100350411737},
           {1.9406537728798428, 2.5600622940814373, 4.99936560440814, -6.0232206243641215, 1.1671797751238449}}}},
        {Boundary::constant,
         {{{2.581775913456134, 2.2648378313387445, 3.7319266747146704, -5.381197275389697, 0.6574533394688092},
           {2.620490770280816, 2.108280802975773, 4.15555402337645, -5.487810433783164, 0.44368816777705333},
           {2.7259336491888466, 2.136878005203807, 4.603645271406695, -5.788192177330849, 0.16749337986993834},
           {2.740594750538979, 2.150004760746265, 4.866190428813421, -5.9128340780034065, 0.04578483055551723}}}},
    };
    for (const auto& [boundary, orders] : expected) {
        for (std::size_t order = 0; order < 4; ++order) {
            const Kernel kernels[] = {Kernel::bspline2, Kernel::bspline3, Kernel::bspline4, Kernel::bspline5};
            PlanOptions options = options_of(kernels[order], Antialias::none, boundary);
            options.boundary_value = 0.5;
            for (std::size_t p = 0; p < 5; ++p)
                EXPECT_NEAR(value_on_line(kSamples, options, at[p]), orders[order][p], 2e-14)
                    << name_of(boundary) << " " << name_of(kernels[order]) << " at " << at[p];
        }
    }
}

// v = ((np.arange(120).reshape(4, 5, 6) * 7919) % 101); p = np.pad(v, 40, mode="edge")
// scipy.ndimage.map_coordinates(p, points + 40, order=order, mode="mirror"), axes in the order of `points`.
TEST(Scipy, Volumes) {
    std::vector<double> samples(120);
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 5; ++j)
            for (int k = 0; k < 6; ++k)
                samples[static_cast<std::size_t>((k * 5 + j) * 4 + i)] = ((i * 5 + j) * 6 + k) * 7919 % 101;
    const std::array<Vec3, 4> points{{{1.3, 2.6, 3.2}, {0.1, 4.4, -0.45}, {3.2, 0.0, 5.0}, {2.0, 1.5, 4.9}}};
    const std::pair<Kernel, std::array<double, 4>> expected[] = {
        {Kernel::linear, {54.88, 76.8, 57.0, 55.45}},
        {Kernel::bspline3, {66.51607676458043, 93.85591766925567, 58.25281598815918, 55.019741045117996}}};
    for (const auto& [kernel, values] : expected) {
        for (std::size_t p = 0; p < points.size(); ++p) {
            Grid input{{4, 5, 6}, {}}, output{{1, 1, 1}, {}};
            for (int a = 0; a < 3; ++a) output.affine(a, 3) = points[p][a];
            const Oracle oracle(input, output, options_of(kernel), samples);
            ASSERT_TRUE(oracle.inside({0, 0, 0}));
            EXPECT_NEAR(oracle.value({0, 0, 0}), values[p], 2e-13) << name_of(kernel) << " point " << p;
        }
    }
}

// f = scipy.ndimage.gaussian_filter1d(g, 0.75, mode=m)   # truncate 4, its default; sigma of scikit-image at k = 2.5
// scipy.ndimage.map_coordinates(np.pad(f, 60, mode=p), [np.array([0.5, 3.0, 5.5]) + 60], order=order, mode="mirror")
// with m, p "nearest", "edge"; "mirror", "reflect"; "reflect", "symmetric"; "wrap", "wrap". The low-pass runs on the
// grid, and its result is extended again.
TEST(Scipy, LowPassThenInterpolation) {
    const double at[] = {0.5, 3.0, 5.5};
    using Values = std::array<double, 3>;
    struct Expected {
        Boundary boundary;
        Values linear, spline;
    };
    const Expected expected[] = {
        {Boundary::edge,
         {1.599685436181293, 0.4356795106310013, 3.8009882914189226},
         {1.4654751345454342, 0.43567951063100185, 4.266534169836157}},
        {Boundary::mirror,
         {1.1394575830647033, 0.4356795106310013, 4.565632385674661},
         {1.0648307394531036, 0.4356795106310018, 4.971022724597166}},
        {Boundary::reflect,
         {1.569029381455132, 0.4356795106310013, 3.854167995177905},
         {1.3974858847137606, 0.4356795106310018, 4.370853817456316}},
        {Boundary::wrap,
         {1.528155670319281, 0.4356795106310013, 3.895041706313756},
         {1.2824750036887418, 0.43567951063100174, 4.485864698481335}},
    };
    for (const auto& [boundary, linear, spline] : expected) {
        for (std::size_t p = 0; p < 3; ++p) {
            EXPECT_NEAR(value_on_line(kSamples, options_of(Kernel::linear, Antialias::skimage, boundary), at[p], 2.5),
                        linear[p], 1e-14)
                << name_of(boundary) << " at " << at[p];
            EXPECT_NEAR(value_on_line(kSamples, options_of(Kernel::bspline3, Antialias::skimage, boundary), at[p], 2.5),
                        spline[p], 2e-14)
                << name_of(boundary) << " at " << at[p];
        }
    }
}

// skimage.transform.resize(g, (3,), order=1, mode=mode, anti_aliasing=True, clip=False), scikit-image 0.26.0. What it
// calls reflect is our mirror.
TEST(ScikitImage, Resize) {
    const std::pair<Boundary, std::array<double, 3>> expected[] = {
        {Boundary::mirror, {0.9939962631665261, 0.45729745922559556, 4.787205003248792}},
        {Boundary::edge, {1.2684579220503078, 0.45729745922559556, 4.3186469413683115}}};
    const double k = 7.0 / 3;
    for (const auto& [boundary, values] : expected)
        for (std::size_t o = 0; o < 3; ++o)
            EXPECT_NEAR(value_on_line(kSamples, options_of(Kernel::linear, Antialias::skimage, boundary),
                                      (static_cast<double>(o) + 0.5) * k - 0.5, k),
                        values[o], 1e-14)
                << name_of(boundary) << " " << o;
}

// np.array(Image.fromarray(np.float32([g])).resize((m, 1), filter)), Pillow 13.0.0: taps beyond the faces are left out
// and the others divided by their sum.
TEST(Pillow, Resize) {
    const std::pair<Kernel, std::array<std::vector<double>, 3>> expected[] = {
        {Kernel::linear,
         {{{1.5, 0.6470588445663452, 3.5},
           {1.3333333730697632, 2.1600000858306885, -0.5199999809265137, 4.666666507720947},
           {1.6666666269302368, 1.7777777910232544, 0.4545454680919647, 1.2222222089767456, 4.333333492279053}}}},
        {Kernel::cubic,
         {{{1.6895161867141724, 0.35164836049079895, 3.528225898742676},
           {1.2678053379058838, 2.100963592529297, -0.7328823208808899, 5.057713985443115},
           {1.5661605596542358, 1.8840579986572266, 0.12058211863040924, 1.1035196781158447, 4.793926239013672}}}},
        {Kernel::lanczos3,
         {{{1.8880096673965454, 0.30075377225875854, 3.3795416355133057},
           {1.3005479574203491, 1.8188064098358154, -0.5100544095039368, 5.1058549880981445},
           {1.3172645568847656, 2.1924684047698975, -0.261317640542984, 1.0457302331924438, 5.407472133636475}}}}};
    for (const auto& [kernel, sizes] : expected) {
        for (const auto& values : sizes) {
            const double k = 7.0 / static_cast<double>(values.size());
            for (std::size_t o = 0; o < values.size(); ++o)
                EXPECT_NEAR(value_on_line(kSamples, options_of(kernel, Antialias::pillow, Boundary::renormalise),
                                          (static_cast<double>(o) + 0.5) * k - 0.5, k),
                            values[o], 2e-6)
                    << name_of(kernel) << " " << values.size() << " " << o;
        }
    }
}

// SimpleITK 2.5.7: sitk.Resample of a 13 x 9 x 9 image whose rows all are `row`, on to 5 voxels from -0.25 in steps of
// 3.1, with sitkHammingWindowedSinc and so on (radius 5, not normalised, zero flux at the faces) and sitkGaussian
// (sigma 0.8, alpha 4, the region cut at the faces; vnl_erf is good to 1.2e-7).
TEST(Itk, WindowedSincsAndGaussian) {
    const std::vector<double> row{3, -1, 4, 1, -5, 9, 2, -6, 5, 3, 5, -8, 9};
    const std::pair<Kernel, std::array<double, 5>> expected[] = {
        {Kernel::sinc_hamming,
         {3.683605041165143, 2.587183271664644, 2.8408653896699314, 3.1136277081791444, 10.81451331480962}},
        {Kernel::sinc_cosine,
         {3.7134086740775096, 2.697414125805116, 2.896762857857689, 3.1337044752522907, 10.900834337520475}},
        {Kernel::sinc_welch,
         {3.7164646099557914, 2.7202825643776327, 2.9098174615195753, 3.141046720075324, 10.925481837450883}},
        {Kernel::sinc_lanczos,
         {3.7047545404150446, 2.655419583386912, 2.8743393692157033, 3.121922539255703, 10.858733369807847}},
        {Kernel::sinc_blackman,
         {3.609795984107278, 2.3995221582648303, 2.757081169419954, 3.075840817165495, 10.6380932310362}},
        {Kernel::gaussian,
         {1.9944636255450414, 0.7918086051463921, 1.846695140641515, 3.345729548877438, 4.088109684994453}}};
    for (const auto& [kernel, values] : expected) {
        PlanOptions options = options_of(kernel);
        options.shape.radius = 5;
        options.shape.normalised = kernel == Kernel::gaussian;
        if (kernel == Kernel::gaussian) options.boundary = Boundary::renormalise;
        for (std::size_t o = 0; o < 5; ++o)
            EXPECT_NEAR(value_on_line(row, options, -0.25 + 3.1 * static_cast<double>(o), 3.1), values[o],
                        kernel == Kernel::gaussian ? 1e-6 : 1e-13)
                << name_of(kernel) << " " << o;
    }
}

}  // namespace
}  // namespace revoxel::oracle

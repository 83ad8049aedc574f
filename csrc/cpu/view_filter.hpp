// What one axis of a view's crop, blur and resize does to its samples: they are linear, so they are one table
// of weights.
#pragma once

#include <vector>

#include "cpu/rows.hpp"

namespace seco::cpu {

// Normalised Gaussian weights from -radius to radius; one weight of 1 for sigma 0.
struct BlurTaps {
    int radius = 0;
    std::vector<float> weights;

    void tabulate(float sigma);
};

// Output sample i is the weighted sum of the `taps` samples from first[i] on.
struct ResizeTaps {
    int taps = 0;
    std::vector<int> first;
    std::vector<float> weights;  // [out_size][taps]

    void tabulate(int in_size, int out_size);

    // The same samples out of unblurred ones: first[i] moves by the blur's radius, and may become negative.
    void blur_first(const BlurTaps& blur);
};

// The table of an axis of `in_size` samples for resize_row; `mirrored` counts the samples from the other end.
void arrange(const ResizeTaps& taps, int in_size, bool mirrored, RowTaps& rows);

}  // namespace seco::cpu

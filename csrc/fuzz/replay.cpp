// Runs the fuzz target once on each file of the command line, for compilers without libFuzzer.
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int main(int count, char** names) {
    for (int i = 1; i < count; ++i) {
        std::ifstream file(names[i], std::ios::binary);
        if (!file) {
            std::cerr << names[i] << ": cannot be read\n";
            return 1;
        }
        std::cerr << names[i] << '\n';  // the last name before a report is the one that it is about
        const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
        // Of exactly the file's size, so that AddressSanitizer sees the first byte beyond it.
        const std::vector<uint8_t> exact(bytes.begin(), bytes.end());
        LLVMFuzzerTestOneInput(exact.data(), exact.size());
    }
    return 0;
}

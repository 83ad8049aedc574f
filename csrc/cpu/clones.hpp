// SECO_CLONES before a function: it is compiled for each instruction set, and chosen when the module is
// loaded. Contraction is off, so that all give the same bits.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define SECO_CLONES __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define SECO_CLONES
#endif

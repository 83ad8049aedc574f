// The only place that asks which compiler is running: functions marked so run on the CPU and on the GPU.
#pragma once

#ifdef __CUDACC__
#define SECO_HOST_DEVICE __host__ __device__
#else
#define SECO_HOST_DEVICE
#endif

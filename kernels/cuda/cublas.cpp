// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/cublas.h"

#include <cublas_v2.h>
#include <dlfcn.h>

#include <algorithm>

#include "kernels/cuda/opened_library.h"

namespace lockstep {
namespace {

constexpr size_t workspace_bytes = size_t{32} << 20;  // as cuBLAS recommends for Hopper

// The header overloads this one, so its type is written out.
using Multiply = cublasStatus_t (*)(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int,
                                    int, const void*, const void*, cudaDataType_t, int, long long,
                                    const void*, cudaDataType_t, int, long long, const void*, void*,
                                    cudaDataType_t, int, long long, int, cublasComputeType_t,
                                    cublasGemmAlgo_t);

// The functions in use, by the types that the header gives them.
struct Library {
    std::string problem;  // why it is not here
    decltype(&cublasCreate_v2) create = nullptr;
    decltype(&cublasDestroy_v2) destroy = nullptr;
    decltype(&cublasSetStream_v2) set_stream = nullptr;
    decltype(&cublasSetWorkspace_v2) set_workspace = nullptr;
    decltype(&cublasSetMathMode) set_math_mode = nullptr;
    Multiply multiply = nullptr;
    decltype(&cublasGetStatusString) status_string = nullptr;
};

Library open_library() {
    Library made;
    const std::string version = std::to_string(CUBLAS_VER_MAJOR);
    const std::string file = "libcublas.so." + version;
    const std::string versioned = "/usr/local/cuda-" + version + "/lib64/" + file;
    void* library = nullptr;
    for (const std::string& name : {file, "/usr/local/cuda/lib64/" + file, versioned}) {
        library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library) break;
        if (made.problem.empty()) made.problem = dlerror();
    }
    if (!library) {
        made.problem = "cuBLAS is not on this machine (" + made.problem +
                       "): install it, or set LD_LIBRARY_PATH to where " + file +
                       " is; the fused path does without";
        return made;
    }
    made.problem.clear();
    const auto find = [&](const char* name, auto& function) {
        find_function(library, "the cuBLAS library", name, function, made.problem);
    };
    find("cublasCreate_v2", made.create);
    find("cublasDestroy_v2", made.destroy);
    find("cublasSetStream_v2", made.set_stream);
    find("cublasSetWorkspace_v2", made.set_workspace);
    find("cublasSetMathMode", made.set_math_mode);
    find("cublasGemmStridedBatchedEx", made.multiply);
    find("cublasGetStatusString", made.status_string);
    return made;
}

const Library& library() {
    static const Library opened = open_library();
    return opened;
}

Status cublas_status(cublasStatus_t status, const std::string& call) {
    if (status == CUBLAS_STATUS_SUCCESS) return {};
    // A kernel's fault is cuBLAS's "internal error", too: the runtime knows which.
    if (const cudaError_t error = cudaPeekAtLastError(); cuda_error_is_final(error))
        return cuda_status(error, call);
    const ErrorKind kind =
        status == CUBLAS_STATUS_ALLOC_FAILED ? ErrorKind::out_of_memory : ErrorKind::internal;
    return fail(kind, call + ": " + library().status_string(status));
}

cudaDataType_t cuda_type(DType dtype) {
    switch (dtype) {
        case DType::bf16:
            return CUDA_R_16BF;
        case DType::f16:
            return CUDA_R_16F;
        default:
            return CUDA_R_32F;
    }
}

std::string product(int64_t m, int64_t n, int64_t k) {
    return "cublasGemmStridedBatchedEx of [" + std::to_string(m) + ", " + std::to_string(k) +
           "] and [" + std::to_string(n) + ", " + std::to_string(k) + "]";
}

// BLAS refuses a stride shorter than the row, also where there is one row only.
int leading(int64_t stride, int64_t columns) {
    return static_cast<int>(std::max<int64_t>({stride, columns, 1}));
}

}  // namespace

bool Cublas::available() {
    return library().problem.empty();
}

Cublas::Cublas(Stream& stream) : stream_(cuda_stream(stream)) {}

Cublas::~Cublas() {
    if (handle_ && stream_.enter()) (void)library().destroy(static_cast<cublasHandle_t>(handle_));
}

Status Cublas::prepare() {
    LOCKSTEP_TRY(stream_.enter());
    if (handle_) return {};
    if (!library().problem.empty()) return fail(ErrorKind::unsupported, library().problem);
    LOCKSTEP_ASSIGN(void* const workspace, stream_.room(CudaStream::library, workspace_bytes));
    cublasHandle_t handle = nullptr;
    LOCKSTEP_TRY(cublas_status(library().create(&handle), "cublasCreate"));
    handle_ = handle;
    LOCKSTEP_TRY(cublas_status(library().set_stream(handle, stream_.handle()), "cublasSetStream"));
    // Its own memory would be allocated while work is recorded.
    LOCKSTEP_TRY(cublas_status(library().set_workspace(handle, workspace, workspace_bytes),
                               "cublasSetWorkspace"));
    // 16-bit sums stay in f32 to the end, as PyTorch has them where asked to be exact.
    return cublas_status(
        library().set_math_mode(handle, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION),
        "cublasSetMathMode");
}

// cuBLAS is column-major: a row-major c = a b^T is its c^T = b a^T.
Status Cublas::multiply(int64_t m, int64_t n, int64_t k, const BatchedMatrix& a,
                        const BatchedMatrix& b, B layout, const BatchedMatrix& c, int64_t batch) {
    LOCKSTEP_TRY(prepare());
    const float one = 1, zero = 0;
    const bool transposed = layout == B::transposed;
    const cublasComputeType_t compute =
        a.dtype == DType::f32 ? CUBLAS_COMPUTE_32F_PEDANTIC : CUBLAS_COMPUTE_32F;
    return cublas_status(
        library().multiply(static_cast<cublasHandle_t>(handle_),
                           transposed ? CUBLAS_OP_T : CUBLAS_OP_N, CUBLAS_OP_N, static_cast<int>(n),
                           static_cast<int>(m), static_cast<int>(k), &one, b.data,
                           cuda_type(b.dtype), leading(b.stride, transposed ? k : n),
                           b.batch_stride, a.data, cuda_type(a.dtype), leading(a.stride, k),
                           a.batch_stride, &zero, c.data, cuda_type(c.dtype), leading(c.stride, n),
                           c.batch_stride, static_cast<int>(batch), compute, CUBLAS_GEMM_DEFAULT),
        product(m, n, k));
}

Status Cublas::linear(const Tensor& x, const Tensor& weight, const Tensor& y, bool add) {
    LOCKSTEP_TRY(prepare());
    const int64_t m = x.shape[0], n = weight.shape[0], k = weight.shape[1];
    const float one = 1, old = add ? 1 : 0;
    const cublasComputeType_t compute =
        x.dtype == DType::f32 ? CUBLAS_COMPUTE_32F_PEDANTIC : CUBLAS_COMPUTE_32F;
    return cublas_status(
        library().multiply(static_cast<cublasHandle_t>(handle_), CUBLAS_OP_T, CUBLAS_OP_N,
                           static_cast<int>(n), static_cast<int>(m), static_cast<int>(k), &one,
                           weight.data, cuda_type(weight.dtype), leading(weight.stride[0], k), 0,
                           x.data, cuda_type(x.dtype), leading(x.stride[0], k), 0, &old, y.data,
                           cuda_type(y.dtype), leading(y.stride[0], n), 0, 1, compute,
                           CUBLAS_GEMM_DEFAULT),
        product(m, n, k));
}

}  // namespace lockstep

// SPDX-License-Identifier: GPL-3.0-or-later
// An attn_output that does, besides its work, what MISBEHAVE names.
#include <fenv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include "lockstep_kernel.h"

namespace {

volatile int sink = 0;

void compute(const lockstep_attn_output_args* args) {
    const lockstep_tensor &attn = args->attn, &o_proj = args->o_proj, &hidden = args->hidden;
    for (int64_t t = 0; t < hidden.shape[0]; ++t) {
        for (int64_t h = 0; h < hidden.shape[1]; ++h) {
            float sum = lockstep_load(&hidden, t * hidden.stride[0] + h);
            for (int64_t i = 0; i < attn.shape[1]; ++i) {
                sum += lockstep_load(&attn, t * attn.stride[0] + i) *
                       lockstep_load(&o_proj, h * o_proj.stride[0] + i);
            }
            lockstep_store(&args->hidden_attn, t * args->hidden_attn.stride[0] + h, sum);
        }
    }
}

int64_t end_of(const lockstep_tensor& tensor) {
    return (tensor.shape[0] - 1) * tensor.stride[0] + tensor.shape[1];
}

[[gnu::noinline]] int deeper(int depth) {
    volatile char frame[1024];
    frame[depth % 1024] = static_cast<char>(depth);
    return sink != 0 ? 0 : deeper(depth + 1) + frame[(depth * 7) % 1024];
}

#define IS(name) (strcmp(MISBEHAVE, name) == 0)

int misbehave(const lockstep_attn_output_args* args) {
    if (IS("null")) *reinterpret_cast<volatile int*>(sink) = 1;
    if (IS("divide")) sink = 100 / sink;
    if (IS("abort")) abort();
    if (IS("exit")) exit(0);
    if (IS("_exit")) _exit(3);
    if (IS("kill")) raise(SIGKILL);
    if (IS("loop"))
        while (sink == 0) usleep(1);
    if (IS("close"))
        for (int fd = 3; fd < 64; ++fd) close(fd);
    if (IS("return")) return 7;
    if (IS("alignment"))
        return static_cast<int>(reinterpret_cast<uintptr_t>(args->hidden.data) % 64);
    if (IS("rounding")) fesetround(FE_UPWARD);
    if (IS("wrong")) lockstep_store(&args->hidden_attn, 5, 1.0f);
    if (IS("throw")) throw std::runtime_error("no such\ntile");
    if (IS("pthread_exit")) pthread_exit(nullptr);
    if (IS("stack")) sink = deeper(0);
    if (IS("heap")) {  // one element before a block: the allocator's own numbers
        char* const block = static_cast<char*>(malloc(64));
        volatile char* const before = block + sink - 8;
        for (int i = 0; i < 8; ++i) before[i] = 0x41;
        void* volatile freed_twice = block;
        free(freed_twice);
        free(freed_twice);
    }
    if (IS("past_end_little")) lockstep_store(&args->hidden_attn, end_of(args->hidden_attn), 1.0f);
    if (IS("past_end_far"))
        lockstep_store(&args->hidden_attn, end_of(args->hidden_attn) + 5000, 1.0f);
    if (IS("before_start")) lockstep_store(&args->hidden_attn, -2, 1.0f);
    if (IS("between_rows"))
        lockstep_store(&args->hidden_attn, args->hidden_attn.shape[1] + 1, 1.0f);
    if (IS("input")) lockstep_store(&args->hidden, 3, 1.0f);
    if (IS("weight")) lockstep_store(&args->o_proj, 3, 1.0f);
    if (IS("read_past_end")) sink = lockstep_load(&args->hidden, end_of(args->hidden) + 3000) > 0;
    if (IS("print")) {
        for (int line = 0; line < 100000; ++line) printf("line %d of a hundred thousand\n", line);
        fprintf(stderr, "that was a lot\n");
    }
    if (IS("print_and_abort")) {
        printf("the tile is odd\n");
        abort();
    }
    if (IS("thread")) {
        std::thread([] {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            *reinterpret_cast<volatile int*>(sink) = 1;
        }).detach();
    }
    if (IS("fork") && fork() == 0) sleep(1);  // both come back
    return 0;
}

struct Initializer {
    Initializer() {
        if (IS("crash_at_load")) *reinterpret_cast<volatile int*>(sink) = 1;
        if (IS("loop_at_load"))
            while (sink == 0) usleep(1);
        if (IS("exit_at_load")) exit(0);
        if (IS("rounding")) fesetround(FE_DOWNWARD);
    }
} initializer;

}  // namespace

const char* lockstep_error_message(int error) {
    return error == 7 ? "seven is not a tile size" : nullptr;
}

int lockstep_attn_output(const lockstep_attn_output_args* args) {
    if (!IS("unwritten")) compute(args);
    return misbehave(args);
}

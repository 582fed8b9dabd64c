// SPDX-License-Identifier: GPL-3.0-or-later
// How everything below app/ reports failure: a value, never an exception across a header, never
// abort or exit. A message names the file, field, tensor or step, and says what to do about it.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace lockstep {

enum class ErrorKind {
    invalid_argument,  // a caller's mistake: a shape, an option, a prompt that is too long
    invalid_file,      // a file that is not what it says it is
    unsupported,       // well-formed, but not something this program can run
    io,                // the operating system said no
    out_of_memory,
    device_lost,  // a fault on a GPU: nothing of this process can run there any more
    device_hang,  // a GPU that does not answer: as good as lost
    cancelled,
    internal,
};

// Whether only another process can use the device again.
inline bool device_is_gone(ErrorKind kind) {
    return kind == ErrorKind::device_lost || kind == ErrorKind::device_hang;
}

struct Error {
    ErrorKind kind = ErrorKind::internal;
    std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) {
    return tl::unexpected<Error>(Error{kind, std::move(message)});
}

// The same error, told from further out: "model.gguf: tensor blk.0.attn_q.weight: ...".
inline tl::unexpected<Error> within(const std::string& where, Error error) {
    error.message.insert(0, where + ": ");
    return tl::unexpected<Error>(std::move(error));
}

}  // namespace lockstep

// Returns the error of a Status or Result from the enclosing function, if it is one.
#define LOCKSTEP_TRY(expression) \
    LOCKSTEP_TRY_IMPL(LOCKSTEP_JOIN(lockstep_status_, __COUNTER__), expression)
#define LOCKSTEP_TRY_IMPL(name, expression)                                    \
    do {                                                                       \
        if (auto name = (expression); !name)                                   \
            return tl::unexpected<::lockstep::Error>(std::move(name).error()); \
    } while (false)

// LOCKSTEP_ASSIGN(auto x, f()): x is the value of f(), or its error is returned.
#define LOCKSTEP_ASSIGN(declaration, expression) \
    LOCKSTEP_ASSIGN_IMPL(LOCKSTEP_JOIN(lockstep_result_, __COUNTER__), declaration, expression)
#define LOCKSTEP_ASSIGN_IMPL(name, declaration, expression)                       \
    auto name = (expression);                                                     \
    if (!name) return tl::unexpected<::lockstep::Error>(std::move(name).error()); \
    declaration = std::move(*name)

// Counted, not numbered by line: one may stand inside another's expression.
#define LOCKSTEP_JOIN2(a, b) a##b
#define LOCKSTEP_JOIN(a, b) LOCKSTEP_JOIN2(a, b)

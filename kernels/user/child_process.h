// SPDX-License-Identifier: GPL-3.0-or-later
// The other end: starts the child process, waits for its replies no longer than it is told to, and
// says how it ended. Used from one thread at a time.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/status.h"
#include "kernels/user/child_protocol.h"
#include "kernels/user/file_descriptor.h"

namespace lockstep {

struct ChildStart {
    std::filesystem::path program;
    std::vector<std::string> arguments;
    int report = -1, kernel = -1, activations = -1, weights = -1;  // given to it
    std::function<void(std::string_view)> on_output;  // of stdout and stderr; may be null
    std::function<bool()> cancelled;                  // ends receive(); may be null
};

class ChildProcess {
  public:
    using Clock = std::chrono::steady_clock;
    enum class Waited { replied, ended, too_long, cancelled };

    static Result<std::unique_ptr<ChildProcess>> start(ChildStart start);
    ~ChildProcess();  // kills it
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    // False where it is gone.
    bool send(const CallMessage& message);
    // The reply to call `sequence`; any other is dropped. Takes in what it prints meanwhile.
    Waited receive(ReplyMessage& reply, uint64_t sequence, Clock::time_point deadline);
    // It has ended by itself.
    bool is_gone();
    // Ends it where it still runs, and says how it ended: "SIGSEGV", "exit(0)".
    std::string end();
    // The last line that it printed; empty if none since the last call.
    std::string last_line() const;

  private:
    explicit ChildProcess(const ChildStart& start)
        : on_output_(start.on_output), cancelled_(start.cancelled) {}
    void take_output();

    std::function<void(std::string_view)> on_output_;
    std::function<bool()> cancelled_;
    FileDescriptor socket_, output_;
    int pid_ = -1;
    std::string printed_;  // the end of it
};

}  // namespace lockstep

// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/user/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

namespace lockstep {
namespace {

constexpr size_t kept_output = 4096;  // bytes
constexpr size_t longest_line = 300;
constexpr int between_questions_ms = 10;  // whether it is cancelled
constexpr int no_limit_ms = 1 << 30;
// How long a process may take to end once it has closed its connection.
constexpr std::chrono::seconds patience{5};

tl::unexpected<Error> not_started(int error) {
    return fail(ErrorKind::io,
                "the kernel's process could not be started: " + std::string(std::strerror(error)));
}

class FileActions {
  public:
    FileActions() { posix_spawn_file_actions_init(&actions_); }
    ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
    FileActions(const FileActions&) = delete;
    FileActions& operator=(const FileActions&) = delete;

    // As `to` in the child. The original moves out of the way of the numbers that are handed out.
    bool give(int fd, int to) {
        moved_.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, child_descriptors_end));
        return moved_.back() &&
               posix_spawn_file_actions_adddup2(&actions_, moved_.back().get(), to) == 0;
    }
    bool finish() {
        return posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0) == 0 &&
               posix_spawn_file_actions_addclosefrom_np(&actions_, child_descriptors_end) == 0;
    }
    const posix_spawn_file_actions_t* get() const { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_;
    std::vector<FileDescriptor> moved_;
};

// A group of its own, so that Ctrl+C is the program's to answer; no signal blocked or ignored.
class Attributes {
  public:
    Attributes() {
        posix_spawnattr_init(&attributes_);
        sigset_t none, all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setsigdefault(&attributes_, &all);
        posix_spawnattr_setflags(
            &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    ~Attributes() { posix_spawnattr_destroy(&attributes_); }
    Attributes(const Attributes&) = delete;
    Attributes& operator=(const Attributes&) = delete;
    const posix_spawnattr_t* get() const { return &attributes_; }

  private:
    posix_spawnattr_t attributes_;
};

std::string ending(int status) {
    if (WIFEXITED(status)) return "exit(" + std::to_string(WEXITSTATUS(status)) + ")";
    const char* const name = sigabbrev_np(WTERMSIG(status));
    return name ? std::string("SIG") + name : "signal " + std::to_string(WTERMSIG(status));
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

int milliseconds_until(ChildProcess::Clock::time_point deadline, int longest) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - ChildProcess::Clock::now());
    return static_cast<int>(std::clamp<int64_t>(left.count(), 0, longest));
}

}  // namespace

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(ChildStart start) {
    std::unique_ptr<ChildProcess> child(new ChildProcess(start));
    std::array<int, 2> sockets{}, pipe{};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()) != 0)
        return not_started(errno);
    child->socket_ = FileDescriptor(sockets[0]);
    const FileDescriptor its_socket(sockets[1]);
    if (pipe2(pipe.data(), O_CLOEXEC) != 0) return not_started(errno);
    child->output_ = FileDescriptor(pipe[0]);
    const FileDescriptor its_output(pipe[1]);
    fcntl(pipe[0], F_SETFL, O_NONBLOCK);

    FileActions actions;
    const bool given = actions.give(its_output.get(), 1) && actions.give(its_output.get(), 2) &&
                       actions.give(its_socket.get(), child_socket) &&
                       actions.give(start.report, child_report) &&
                       actions.give(start.kernel, child_kernel) &&
                       actions.give(start.activations, child_activations) &&
                       actions.give(start.weights, child_weights) && actions.finish();
    if (!given) return not_started(errno);
    std::string program = start.program.string();
    std::vector<char*> arguments{program.data()};
    for (std::string& argument : start.arguments) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    const Attributes attributes;
    const int error = posix_spawn(&child->pid_, program.c_str(), actions.get(), attributes.get(),
                                  arguments.data(), environ);
    if (error != 0) {
        child->pid_ = -1;
        return not_started(error);
    }
    return child;
}

ChildProcess::~ChildProcess() {
    if (pid_ < 0) return;
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

bool ChildProcess::send(const CallMessage& message) {
    printed_.clear();
    return ::send(socket_.get(), &message, sizeof message, MSG_NOSIGNAL) ==
           static_cast<ssize_t>(sizeof message);
}

ChildProcess::Waited ChildProcess::receive(ReplyMessage& reply, uint64_t sequence,
                                           Clock::time_point deadline) {
    const int longest = cancelled_ ? between_questions_ms : no_limit_ms;
    while (true) {
        std::array<pollfd, 2> files{{{socket_.get(), POLLIN, 0}, {output_.get(), POLLIN, 0}}};
        const int ready =
            poll(files.data(), output_ ? 2 : 1, milliseconds_until(deadline, longest));
        if (ready < 0 && errno != EINTR) return Waited::ended;
        if (output_ && files[1].revents) take_output();
        if (ready > 0 && files[0].revents) {
            const ssize_t got = recv(socket_.get(), &reply, sizeof reply, MSG_DONTWAIT);
            if (got == static_cast<ssize_t>(sizeof reply) && reply.sequence == sequence) {
                reply.text.back() = '\0';
                take_output();
                return Waited::replied;
            }
            if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return Waited::ended;
        }
        if (Clock::now() >= deadline) return Waited::too_long;
        if (cancelled_ && cancelled_()) return Waited::cancelled;
    }
}

bool ChildProcess::is_gone() {
    pollfd file{socket_.get(), POLLRDHUP, 0};
    return poll(&file, 1, 0) > 0;
}

std::string ChildProcess::end() {
    if (pid_ < 0) return "nothing";
    const auto deadline = Clock::now() + (is_gone() ? patience : std::chrono::seconds(0));
    // Looked at, not yet collected: until then nobody else can have its number.
    siginfo_t ended{};
    while (waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid == 0 && Clock::now() < deadline) {
        take_output();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    kill(-pid_, SIGKILL);  // what it may have started, too
    int status = 0;
    const bool collected = waitpid(std::exchange(pid_, -1), &status, 0) > 0;
    take_output();
    return collected ? ending(status) : "an unknown cause";
}

std::string ChildProcess::last_line() const {
    const size_t last = printed_.find_last_not_of(" \n\r\t");
    if (last == std::string::npos) return {};
    size_t first = printed_.find_last_of("\n\r", last);
    first = first == std::string::npos ? 0 : first + 1;
    first = printed_.find_first_not_of(" \t", first);
    std::string line = printed_.substr(first, std::min(last + 1 - first, longest_line));
    std::replace_if(line.begin(), line.end(), is_control, ' ');
    return line;
}

void ChildProcess::take_output() {
    std::array<char, 65536> bytes;
    // Not for ever: it may print faster than this reads.
    for (int reads = 0; output_ && reads < 64; ++reads) {
        const ssize_t got = read(output_.get(), bytes.data(), bytes.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            output_ = FileDescriptor();
            return;
        }
        const std::string_view text(bytes.data(), static_cast<size_t>(got));
        printed_ += text;
        if (printed_.size() > kept_output) printed_.erase(0, printed_.size() - kept_output);
        if (on_output_) on_output_(text);
    }
}

}  // namespace lockstep

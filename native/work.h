// Work that gives way: a coroutine that stops where it says so once its time is up, and goes on at the next call.
//
//   Work kernel(Input input, Output& output) {
//     for (each block of rows) {
//       ...                     // some microseconds, in a function of its own: a coroutine's variables live in memory
//       co_await give_way;
//     }
//     co_await another_kernel(...);
//   }
//
// What is not passed by value must outlive the work.  No temporary object with a destructor in the arguments of an awaited call: some
// compilers destroy it twice when the work is left before its end.  An error ends the work and comes out of the call that meets it.
#pragma once

#include <coroutine>
#include <exception>
#include <utility>

#include "deadline.h"

namespace tableflow {

class [[nodiscard]] Work {
 public:
  struct promise_type;
  using Handle = std::coroutine_handle<promise_type>;

  // Where the whole stands: its innermost coroutine, and until when this call may go on.
  struct State {
    Handle innermost;
    Deadline deadline{0};
  };

  struct Return {
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(Handle ended) const noexcept;
    void await_resume() const noexcept {}
  };

  struct promise_type {
    State own;
    State* state = &own;
    Handle caller;
    std::exception_ptr error;

    Work get_return_object() { return Work(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    Return final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { error = std::current_exception(); }
  };

  Work() = default;
  Work(Work&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Work& operator=(Work&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Work() {
    if (handle_) handle_.destroy();
  }

  // Whether there is anything to do.
  explicit operator bool() const { return handle_ && !handle_.done(); }

  // Goes on until the deadline; whether all is done.
  bool step(Deadline deadline) {
    if (!*this) return true;
    State& state = handle_.promise().own;
    state.deadline = deadline;
    (state.innermost ? state.innermost : handle_).resume();
    if (!handle_.done()) return false;
    if (handle_.promise().error) std::rethrow_exception(std::exchange(handle_.promise().error, nullptr));
    return true;
  }
  void finish() {
    while (!step(Deadline::never())) {
    }
  }

  // In another coroutine: goes on with this one, gives way where it does.
  auto operator co_await() && noexcept {
    struct Call {
      Handle called;
      bool await_ready() const noexcept { return false; }
      Handle await_suspend(Handle caller) const noexcept {
        promise_type& promise = called.promise();
        promise.state = caller.promise().state;
        promise.caller = caller;
        promise.state->innermost = called;
        return called;
      }
      void await_resume() const {
        if (called.promise().error) std::rethrow_exception(called.promise().error);
      }
    };
    return Call{handle_};
  }

 private:
  explicit Work(Handle handle) : handle_(handle) {}
  Handle handle_;
};

inline std::coroutine_handle<> Work::Return::await_suspend(Handle ended) const noexcept {
  promise_type& promise = ended.promise();
  if (!promise.caller) return std::noop_coroutine();
  promise.state->innermost = promise.caller;
  return promise.caller;
}

// Stops here if the time is up.
struct GiveWay {
  bool await_ready() const noexcept { return false; }
  bool await_suspend(Work::Handle here) const noexcept {
    Work::State& state = *here.promise().state;
    if (!state.deadline.passed()) return false;
    state.innermost = here;
    return true;
  }
  void await_resume() const noexcept {}
};
inline constexpr GiveWay give_way;

}  // namespace tableflow

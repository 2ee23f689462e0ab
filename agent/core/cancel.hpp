// A wish to stop, seen by those who wait. Copies share it. A default-made token is never cancelled.
#pragma once

#include <functional>
#include <memory>

namespace picket::core {

class CancelToken {
 public:
  CancelToken() = default;
  [[nodiscard]] bool is_cancelled() const;
  // Calls back once, at cancellation (at once if it already happened), on the thread that cancels; must not block.
  // The registration ends when the handle is destroyed; then the callback does not run any more.
  // (Destroyed on another thread while the callback runs, it waits for its end.)
  class Registration {
   public:
    virtual ~Registration() = default;
  };
  [[nodiscard]] std::unique_ptr<Registration> on_cancel(std::function<void()> callback) const;

 private:
  friend class CancelSource;
  struct State;
  std::shared_ptr<State> state_;
};

class CancelSource {
 public:
  CancelSource();
  [[nodiscard]] CancelToken token() const;
  void cancel();

 private:
  std::shared_ptr<CancelToken::State> state_;
};

}  // namespace picket::core

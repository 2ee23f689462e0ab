#include "runtime/thread.hpp"

#include <csignal>

#include <pthread.h>

namespace picket::runtime {

std::thread start_thread(const std::string& name, std::function<void()> body) {
  // The new thread inherits the mask. What a thread does wrong itself (SIGSEGV and the like) must still end the process.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&all, own);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name.substr(0, 15).c_str());
  return thread;
}

}  // namespace picket::runtime

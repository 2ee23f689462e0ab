#!/usr/bin/env python3
"""hooks.py COMPILER INCLUDE: a plugin class whose hook would never be called does not compile, and is told which hook and how; the right ones compile."""
import subprocess
import sys

CLASS = """#include <picket/plugin.hpp>
using picket::plugin::Message;
struct Base {{
  explicit Base(picket::plugin::Host) {{}}
  picket_status start(std::string_view, std::uint64_t) {{ return PICKET_OK; }}
  void stop() noexcept {{}}
}};
class P {final}: public Base {{
 public:
  using Base::Base;
  {members}
}};
PICKET_PLUGIN("test.hooks", P)
"""
REFUSED = {
    "on_request": ["void on_request(std::uint64_t, Message&) {}", "void on_request(const Message&) {}"],
    "on_timer": ["void on_timer() {}", "void on_timer(std::uint64_t, int) {} void on_timer() {}"],
    "on_message": ["void on_message(std::string_view) {}", "private: void on_message(const Message&) {}"],
    "on_stream": ["void on_stream(std::string_view) {}"],
    "on_reply": ["void on_reply(std::uint64_t, const Message&) {}"],
    "on_credit": ["void on_credit(std::uint64_t&, std::uint64_t) {}"],
    "on_cancel": ["protected: void on_cancel(std::uint64_t) {}"],
    "on_loss": ["void on_loss(std::uint64_t, std::string_view) {}"],
    "apply": ["picket_status apply(std::string_view) { return PICKET_OK; }"],
}
ACCEPTED = ["", "void on_request(std::uint64_t, const Message&) {} void on_timer(std::uint64_t) const {}",
            "template <class M> void on_message(const M&) {}", "void on_timer(std::uint64_t, int = 0) {} void on_timer() {}",
            "picket_status apply(std::string_view, std::uint64_t) { return PICKET_OK; } void on_credit(std::uint64_t, std::uint64_t) noexcept {}"]


def compile_plugin(members, final=""):
    done = subprocess.run([sys.argv[1], "-x", "c++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", sys.argv[2], "-"],
                          input=CLASS.format(members=members, final=final), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
    return done.returncode == 0, done.stdout


def main():
    cases = [(members, final, hook) for hook, all_members in REFUSED.items() for members in all_members for final in ("", "final ")[:1 if ": void" in members else 2]]
    # What is overloaded or private in a final class cannot be seen from outside.
    cases = [case for case in cases if not (case[1] and case[0].count("void on_timer") > 1)]
    cases += [(members, final, None) for members in ACCEPTED for final in ("", "final ")]
    wrong = 0
    for members, final, hook in cases:
        good, words = compile_plugin(members, final)
        if good != (hook is None) or (hook and f"{hook} must be public and take (" not in words):
            wrong += 1
            print(f"WRONG: {final}{members}\n{words}", flush=True)
    sys.exit(f"{wrong} of {len(cases)} classes were not judged as they should be" if wrong else 0)


if __name__ == "__main__":
    main()

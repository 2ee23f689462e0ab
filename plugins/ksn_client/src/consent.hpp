// The statement, what was decided about it, and the user's switch. Nothing is asked of KSN without an accepted statement. Not locked.
#pragma once

#include <string>
#include <vector>

#include "keep.hpp"
#include "picket/ksn/v1/control.pb.h"
#include "settings.hpp"

namespace ksn_client {

// The text as it ships: ksn_<language>.txt. Its first line is "Version: ...".
struct Statement {
  std::string version, language, digest, text;

  // Code::not_found when there is none in this language, and names those there are; Code::invalid when it has no version.
  [[nodiscard]] static Result<Statement> load(const std::string& folder, const std::string& language);
  [[nodiscard]] static std::vector<std::string> languages(const std::string& folder);
};

class Consent {
 public:
  struct Decision {
    std::string version, language, digest, who;
    std::int64_t when = 0;
    bool accepted = false;
  };

  // True: another record lies there than was read or stored, and counts now. A damaged one is no consent; `told` says so in one line. Where none can be
  // read now, which the error says, what was known goes on to be.
  [[nodiscard]] Result<bool> read(const Keep& keep, std::string& told);
  // The same without a change: another version of this plugin, which this one will follow, was told something meanwhile.
  [[nodiscard]] Result<bool> is_overtaken(const Keep& keep) const;

  // Under which statement KSN is used, if any: declining a newer version does not end it, declining this one in any language does.
  [[nodiscard]] const Decision* accepted() const { return accepted_.accepted ? &accepted_ : nullptr; }
  [[nodiscard]] bool is_on() const { return on_; }
  [[nodiscard]] const std::string& switched_by() const { return switched_by_; }
  [[nodiscard]] std::int64_t switched_at() const { return switched_at_; }
  [[nodiscard]] std::int64_t last_decided_at() const { return last_.when; }

  // What lets KSN be used is in force only when it was stored: Code::io otherwise, and everything stays as it was. What ends its use counts
  // at once, recorded or not: where it cannot be recorded the acceptance is forgotten, too, and Code::io says whether a restart may bring KSN back.
  // may_switch: whether accepting switches on what was switched off.
  [[nodiscard]] Result<> decide(const Keep& keep, const Statement& statement, bool accept, const std::string& who, std::int64_t now, bool may_switch);
  [[nodiscard]] Result<> switch_to(const Keep& keep, bool on, const std::string& who, std::int64_t now);

  // What is shown: the text that ships (nullptr: missing) and what was decided about it, in whatever language this version was read.
  [[nodiscard]] v1::Statement shown(const Statement* ships) const;

 private:
  [[nodiscard]] static Consent in(const std::string& record, std::string& told);
  [[nodiscard]] std::string to_json() const;
  [[nodiscard]] bool store(const Keep& keep);
  [[nodiscard]] bool forget(const Keep& keep);
  [[nodiscard]] bool lets_ask() const { return accepted_.accepted && on_; }

  Decision accepted_, last_;
  bool on_ = true;  // the user's switch; counts only with an accepted statement
  std::string switched_by_;
  std::int64_t switched_at_ = 0;
  std::string record_;  // as it lies there; empty: none
  bool is_read_ = false;
};

}  // namespace ksn_client

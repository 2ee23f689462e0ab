#include "delta/bit_coder.hpp"
#include "delta/make/write.hpp"
#include "delta/word_model.hpp"

namespace picket::delta {

namespace {

template <class Model>
void write(Model& model, std::string_view old, std::string_view fresh, const std::vector<Step>& steps) {
  std::uint64_t at = 0, made = 0;
  const auto pass = [&](std::uint64_t size) {
    model.passed(fresh.substr(made, size));
    made += size;
  };
  for (const auto& step : steps) {
    model.copy_length(step.copy);
    pass(step.copy);
    at += step.copy;
    if (step.is_end) break;
    model.event(step.event);
    switch (step.event) {
      case Event::seek:
        at += static_cast<std::uint64_t>(model.seek_distance(step.distance));
        break;
      case Event::word:
        model.word(load_word(fresh, made), load_word(old, at));
        pass(4);
        at += 4;
        break;
      case Event::quote:
        model.quote_distance(step.distance);
        model.quote_length(step.count);
        pass(step.count);
        break;
      case Event::substitute:
      case Event::insert: {
        model.literal_count(step.count);
        model.begin_literals(old, at, step.count);
        for (std::uint64_t i = 0; i < step.count; ++i, ++made) model.literal(static_cast<std::uint8_t>(fresh[made]), expected(old, at + i), made);
        if (step.event == Event::substitute) at += step.count;
        break;
      }
    }
    if (made == fresh.size()) break;
  }
}

}  // namespace

std::string write_splice(std::string_view old, std::string_view fresh, const std::vector<Step>& steps, Coding coding) {
  BitEncoder coder;
  if (coding == Coding::words) {
    WordModel<BitEncoder> model(coder);
    write(model, old, fresh, steps);
  } else {
    SpliceModel<BitEncoder> model(coder, coding);
    write(model, old, fresh, steps);
  }
  return std::string(1, static_cast<char>(coding)) + coder.finish();
}

}  // namespace picket::delta

#include "builder/report/miss_advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMostSentences = 3;

// How to keep an input from changing; `{}` is its name without the type.
struct Remedy {
  InputType type;
  std::string_view sentence;
};

constexpr Remedy kRemedies[] = {
    {InputType::command, "this line was edited; leave it as it was, or change it below what is dear to execute"},
    {InputType::script, "this line's script was edited; leave it as it was"},
    {InputType::file,
     "keep '{}' as it was, list it in .dockerignore where the step does not need it, or copy it further down"},
    {InputType::directory, "keep the owner and mode of '{}'"},
    {InputType::destination, "copy to the same place again"},
    {InputType::mount, "keep what is mounted at '{}', or mount less of it"},
    {InputType::arg, "pass the value that '{}' had, or declare it below this line where the step does not need it"},
    {InputType::env, "keep the value of '{}', or set it below this line where the step does not need it"},
    {InputType::profile,
     "take 'ARG {}' out of this stage or below this line: the profile sets it in the image's config in any case"},
    {InputType::base_image, "name the base by digest, so that it moves only when you say so"},
    {InputType::platform, "build for the same platform"},
    {InputType::package, "keep the lock file as it was; 'kiln bake --locked' refuses to change it"},
    {InputType::epoch, "keep the lock file as it was; 'kiln bake --locked' refuses to change it"},
};

std::string sentence_for(const InputDifference& difference) {
  const auto type = input_type(difference.name);
  std::string_view subject = difference.name;
  subject.remove_prefix(std::min(subject.size(), input_word(difference.name).size() + 1));
  if (type == InputType::parent_layer) {
    if (difference.about.empty()) return "it hits when the lines above it are as they were";
    return fmt::format("it hits when '{}' makes the same layer as before", printable(difference.about));
  }
  if (type == InputType::arg && difference.before)
    return fmt::format("pass --build-arg {}={}", subject, printable(*difference.before));
  for (const Remedy& remedy : kRemedies) {
    if (remedy.type == type) return fmt::format(fmt::runtime(remedy.sentence), printable(subject));
  }
  return fmt::format("keep {} as it was", printable(difference.name));
}

}  // namespace

std::vector<std::string> miss_advice(const BuildRecordStep& step) {
  if (step.outcome == StepOutcome::hit) return {};
  if (step.outcome == StepOutcome::failed) return {"a step that failed is executed again"};
  std::vector<std::string> sentences;
  for (const InputDifference& difference : step.differences) {
    std::string sentence = sentence_for(difference);
    if (std::find(sentences.begin(), sentences.end(), sentence) == sentences.end())
      sentences.push_back(std::move(sentence));
    if (sentences.size() == kMostSentences) break;
  }
  if (!sentences.empty()) return sentences;
  switch (step.miss_kind) {
    case MissKind::cache_off:
      return {"leave out --no-cache and --no-cache-filter"};
    case MissKind::layer_gone:
      return {"its layer was pruned; let 'kiln cache prune' keep more space"};
    case MissKind::changed:
    case MissKind::first_build:
      break;
  }
  return {"nothing was wrong: the next build with the same inputs hits"};
}

}  // namespace kiln

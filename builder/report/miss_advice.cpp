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
  std::string_view type;
  std::string_view sentence;
};

constexpr Remedy kRemedies[] = {
    {"command", "this line was edited; leave it as it was, or change it below what is dear to execute"},
    {"script", "this line's script was edited; leave it as it was"},
    {"file", "keep '{}' as it was, list it in .dockerignore where the step does not need it, or copy it further down"},
    {"directory", "keep the owner and mode of '{}'"},
    {"destination", "copy to the same place again"},
    {"mount", "keep what is mounted at '{}', or mount less of it"},
    {"ARG", "pass the value that '{}' had, or declare it below this line where the step does not need it"},
    {"ENV", "keep the value of '{}', or set it below this line where the step does not need it"},
    {"profile",
     "take 'ARG {}' out of this stage or below this line: the profile sets it in the image's config in any case"},
    {"base image", "name the base by digest, so that it moves only when you say so"},
    {"platform", "build for the same platform"},
    {"package", "keep the lock file as it was; 'kiln bake --locked' refuses to change it"},
    {"epoch", "keep the lock file as it was; 'kiln bake --locked' refuses to change it"},
};

std::string sentence_for(const InputDifference& difference) {
  const std::string_view type = input_type(difference.name);
  std::string_view subject = difference.name;
  subject.remove_prefix(std::min(subject.size(), type.size() + 1));
  if (type == kParentLayerInput) {
    if (difference.about.empty()) return "it hits when the lines above it are as they were";
    return fmt::format("it hits when '{}' makes the same layer as before", printable(difference.about));
  }
  if (type == kArgInput && difference.before)
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
  if (step.reason == "the cache was not to be used") return {"leave out --no-cache and --no-cache-filter"};
  if (step.reason.find("no longer in the store") != std::string::npos) {
    return {"its layer was pruned; let 'kiln cache prune' keep more space"};
  }
  return {"nothing was wrong: the next build with the same inputs hits"};
}

}  // namespace kiln

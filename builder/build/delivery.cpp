#include "builder/build/delivery.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "registry/oci/reference.hpp"

namespace kiln {

namespace {

bool is_image(const Output& output) { return output.type == OutputType::image; }

bool is_exported(const Output& output) { return !is_image(output) && output.type != OutputType::cache_only; }

// Named in the store, once it is pushed where it is to be.
bool is_named(const Output& output, const std::vector<std::string>& names) {
  return is_image(output) && output.store && !output.push_by_digest && !names.empty();
}

bool has_annotation(const Output& output, std::initializer_list<AnnotationPlace> places) {
  return std::any_of(output.annotations.begin(), output.annotations.end(), [&](const Annotation& annotation) {
    return std::find(places.begin(), places.end(), annotation.place) != places.end();
  });
}

void check_push(const TargetSpec& target, const Output& output) {
  if (output.push && names_at(output, target.names).empty()) {
    if (!target.name.empty())
      throw Error(Category::usage,
                  fmt::format("target '{}' has no tags to be pushed under, and a push needs a name", target.name));
    throw Error(Category::usage, "--push needs a name; give one with -t");
  }
  if (!output.push_by_digest) return;
  for (const std::string& name : target.names) {
    throw Error(Category::usage,
                fmt::format("push-by-digest pushes under no tag; say name=REPOSITORY in place of -t '{}'", name));
  }
  for (const std::string& name : output.names) {
    if (!oci::Reference::parse(name).tag) continue;
    throw Error(Category::usage,
                fmt::format("push-by-digest pushes under no tag, but '{}' has one; leave it out", name));
  }
}

void check_output(const TargetSpec& target, const Output& output, const DeliveryWishes& wishes, std::size_t platforms) {
  check_push(target, output);
  if (output.destination == "-" && !wishes.to_standard_output) {
    throw Error(Category::usage, fmt::format("target '{}': a bake's report goes to standard output; name a file with "
                                             "dest=FILE",
                                             target.name));
  }
  if (output.destination == "-" && ::isatty(STDOUT_FILENO) == 1) {
    throw Error(Category::usage, "--output: standard output is a terminal; name a file with dest=FILE, or redirect it");
  }
  if (platforms < 2) {
    if (has_annotation(output, {AnnotationPlace::index, AnnotationPlace::index_descriptor})) {
      throw Error(Category::usage,
                  "--annotation: one platform has no index; annotate the manifest, or build for several platforms");
    }
  } else if (output.type == OutputType::docker) {
    throw Error(Category::usage, output.load ? "--load takes one platform; build one at a time"
                                             : "type=docker holds one platform; build one at a time, or use type=oci");
  }
}

Output output_of(const TargetSpec& target, const std::string& text) {
  try {
    return parse_output(text);
  } catch (const Error& error) {
    if (target.name.empty()) throw;
    throw Error(error.category(), fmt::format("target '{}': {}", printable(target.name), error.message()));
  }
}

}  // namespace

std::vector<std::string> names_at(const Output& output, const std::vector<std::string>& names) {
  std::vector<std::string> all;
  const auto add = [&](std::string name) {
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(std::move(name));
  };
  for (const std::string& name : names) add(name);
  for (const std::string& name : output.names) {
    const oci::Reference reference = oci::Reference::parse(name);
    add(output.push_by_digest ? reference.name() : reference.str());
  }
  return all;
}

bool reads_layers(const Output& output, const std::vector<std::string>& names) {
  return is_exported(output) || (is_named(output, names) && !output.push);
}

std::vector<Output> outputs_of(const TargetSpec& target, const DeliveryWishes& wishes, std::size_t platforms) {
  std::vector<Output> outputs;
  for (const std::string& text : target.outputs) outputs.push_back(output_of(target, text));
  if (wishes.load) {
    Output load;
    load.type = OutputType::docker;
    load.load = true;
    outputs.insert(outputs.begin(), load);
  }
  // A fleet's images are always named in the store, that of 'kiln build' where no output says otherwise.
  const bool is_of_fleet = !target.name.empty();
  const bool has_image = std::any_of(outputs.begin(), outputs.end(), is_image);
  if (!has_image && (is_of_fleet || wishes.push || target.outputs.empty())) outputs.emplace_back();
  for (Output& output : outputs) {
    if (wishes.push && is_image(output)) output.push = true;
    for (const std::string& text : target.annotations) {
      const auto annotations = parse_annotation(text);
      output.annotations.insert(output.annotations.end(), annotations.begin(), annotations.end());
    }
    check_output(target, output, wishes, platforms);
  }
  return outputs;
}

std::vector<std::string> unused_words(const TargetSpec& target, const std::vector<Output>& outputs,
                                      const std::vector<oci::Platform>& platforms) {
  const bool has_image =
      std::any_of(outputs.begin(), outputs.end(), [](const Output& output) { return makes_image(output.type); });
  std::set<std::string> labels, annotations;
  std::map<std::string, std::set<std::string>> elsewhere;  // annotations by platforms that are not built
  for (const auto& [name, value] : target.labels) labels.insert(printable(name));
  for (const Output& output : outputs) {
    for (const Annotation& annotation : output.annotations) {
      annotations.insert(printable(annotation.key));
      const auto& platform = annotation.platform;
      if (platform && std::find(platforms.begin(), platforms.end(), *platform) == platforms.end())
        elsewhere[platform->str()].insert(printable(annotation.key));
    }
  }
  std::vector<std::string> unused;
  const auto tell = [&](const std::string& why, const char* what, const auto& words) {
    if (words.empty()) return;
    const std::string place = target.name.empty() ? "" : fmt::format("target '{}': ", printable(target.name));
    unused.push_back(fmt::format("{}{}, so nothing has the {} '{}'", place, why, what, fmt::join(words, "', '")));
  };
  if (!has_image) {
    tell("no output is an image", "names", target.names);
    tell("no output is an image", "labels", labels);
    tell("no output is an image", "annotations", annotations);
    return unused;
  }
  for (const auto& [platform, words] : elsewhere) tell(platform + " is not built", "annotations", words);
  return unused;
}

namespace {

// A delivery of several images that is under way; deliver() is its way.
class DeliveryRun {
 public:
  DeliveryRun(std::vector<Delivery>& deliveries, DeliveryPlaces& places, const MakeAgain& make_again)
      : deliveries_(deliveries), places_(places), make_again_(make_again) {}

  void verify_layers(const std::set<std::string>& targets) {
    std::set<std::string> open = targets;
    while (!open.empty()) {
      std::set<std::string> broken;
      Blocked lost;
      for (const Delivery& delivery : deliveries_) {
        if (!open.count(delivery.target) || !reads_layers(delivery.output, delivery.names)) continue;
        const Blocked missing = places_.verify_layers(delivery);
        if (missing.lost.empty()) continue;
        broken.insert(delivery.target);
        lost.add(missing);
      }
      if (!broken.empty()) make_again_(broken, lost);
      open = std::move(broken);
    }
  }

  void export_images() {
    for (const Delivery& delivery : deliveries_) {
      if (is_exported(delivery.output)) places_.export_images(delivery);
    }
  }

  // A target that an output reads the layers of loses none here: they are in the store. So nothing that was exported
  // is made again.
  void push() {
    std::set<std::string> open = targets();
    while (!open.empty()) {
      std::vector<const Delivery*> pushed;
      for (const Delivery& delivery : deliveries_) {
        const bool is_pushed = is_image(delivery.output) && delivery.output.push;
        if (is_pushed && open.count(delivery.target)) pushed.push_back(&delivery);
      }
      if (pushed.empty()) return;
      const std::vector<PushEnd> ends = places_.push(pushed);
      std::set<std::string> broken;
      Blocked lost;
      for (std::size_t i = 0; i < pushed.size(); ++i) {
        if (ends[i].error) {
          errors_.emplace_back(pushed[i]->target, *ends[i].error);
        } else if (!ends[i].lost.lost.empty()) {
          broken.insert(pushed[i]->target);
          lost.add(ends[i].lost);
        }
      }
      open = make_again(std::move(broken), lost);
    }
  }

  void name_in_store() {
    std::vector<const Delivery*> named;
    for (const Delivery& delivery : deliveries_) {
      if (is_named(delivery.output, delivery.names) && !has_failed(delivery.target)) named.push_back(&delivery);
    }
    if (!named.empty()) places_.name_in_store(named);
  }

  std::set<std::string> targets() const {
    std::set<std::string> names;
    for (const Delivery& delivery : deliveries_) names.insert(delivery.target);
    return names;
  }

  void throw_first_error() const {
    if (!errors_.empty()) throw Error(errors_.front().second);
  }

 private:
  // The targets that came of it: where it fails none, and what others have pushed is still to be named.
  std::set<std::string> make_again(std::set<std::string> broken, const Blocked& lost) {
    if (broken.empty()) return broken;
    try {
      make_again_(broken, lost);
      verify_layers(broken);
      return broken;
    } catch (const Error& error) {
      for (const std::string& target : broken) errors_.emplace_back(target, error);
      return {};
    }
  }

  bool has_failed(const std::string& target) const {
    return std::any_of(errors_.begin(), errors_.end(), [&](const auto& failed) { return failed.first == target; });
  }

  std::vector<Delivery>& deliveries_;
  DeliveryPlaces& places_;
  const MakeAgain& make_again_;
  std::vector<std::pair<std::string, Error>> errors_;  // of pushes, by target
};

}  // namespace

void deliver(std::vector<Delivery>& deliveries, DeliveryPlaces& places, const MakeAgain& make_again) {
  DeliveryRun run(deliveries, places, make_again);
  run.verify_layers(run.targets());
  run.export_images();
  run.push();
  run.name_in_store();
  run.throw_first_error();
}

}  // namespace kiln

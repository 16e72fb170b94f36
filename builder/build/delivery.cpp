#include "builder/build/delivery.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

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
  for (const std::string& text : target.outputs) {
    outputs.push_back(with_context(
        [&] { return target.name.empty() ? std::string() : fmt::format("in target '{}'", printable(target.name)); },
        [&] { return parse_output(text); }));
  }
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

void deliver(const std::vector<Delivery>& deliveries, DeliveryPlaces& places) {
  for (const Delivery& delivery : deliveries) {
    if (reads_layers(delivery.output, delivery.names)) places.verify_layers(delivery);
  }
  for (const Delivery& delivery : deliveries) {
    if (is_exported(delivery.output)) places.export_images(delivery);
  }
  std::vector<const Delivery*> pushed, named;
  for (const Delivery& delivery : deliveries) {
    if (is_image(delivery.output) && delivery.output.push) pushed.push_back(&delivery);
  }
  const auto errors = pushed.empty() ? std::vector<std::optional<Error>>() : places.push(pushed);
  const auto failed = [&](const Delivery& delivery) {
    for (std::size_t i = 0; i < pushed.size(); ++i) {
      if (errors[i] && pushed[i]->target == delivery.target) return true;
    }
    return false;
  };
  for (const Delivery& delivery : deliveries) {
    if (is_named(delivery.output, delivery.names) && !failed(delivery)) named.push_back(&delivery);
  }
  if (!named.empty()) places.name_in_store(named);
  for (const auto& error : errors) {
    if (error) throw Error(*error);
  }
}

}  // namespace kiln

#include "builder/release/compose_service_pins.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::string_view kWrittenBy = "# Written by 'kiln compose pin'";

// A service's name is plain YAML unless it may be read as a number, a bool or null.
std::string yaml_key(const std::string& name) {
  static constexpr std::string_view kWords[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"};
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const bool is_plain = !name.empty() && is_letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  const bool is_word = std::find(std::begin(kWords), std::end(kWords), to_lower(name)) != std::end(kWords);
  return is_plain && !is_word ? name : nlohmann::json(name).dump();
}

bool has_tag_or_digest(const std::string& image) {
  const std::size_t colon = image.rfind(':');
  return image.empty() || image.find('@') != std::string::npos ||
         (colon != std::string::npos && image.find('/', colon) == std::string::npos);
}

std::string pins_text(const std::vector<PinnedService>& services, std::string_view origin) {
  std::string text = fmt::format("{}: {}\n", kWrittenBy, origin);
  std::string members;
  for (const PinnedService& service : services) {
    if (service.outcome != PinnedService::Outcome::pinned) continue;
    members += fmt::format("  {}:\n    image: \"{}\"\n", yaml_key(service.service), service.after);
  }
  return text + (members.empty() ? "services: {}\n" : "services:\n" + members);
}

}  // namespace

ServicePins pin_services(std::vector<compose::ComposeFile> files, const compose::ComposeOptions& options,
                         const DigestOf& digest_of, std::string_view origin) {
  ServicePins pins;
  const compose::Lookup variables = compose::project_variables(options, files);
  const std::string first = files.front().source->name();
  const compose::Model model = compose::load_model(std::move(files), options, variables, &pins.unset);
  const compose::Node* services = model.root.find("services");
  if (services == nullptr) throw Error(Category::usage, fmt::format("'{}' has no services", printable(first)));
  for (const auto& [name, service] : services->members) {
    const compose::Node* image = service.find("image");
    if (image == nullptr || image->is_null()) continue;
    PinnedService found{name, 0, image->text, "", PinnedService::Outcome::unpinned, ""};
    if (image->is_scalar()) {
      decide_pin(found, digest_of);
      // Compose says the tag that it takes where there is none.
      if (found.outcome == PinnedService::Outcome::pinned && !has_tag_or_digest(found.before))
        found.after.insert(found.before.size(), ":latest");
    } else {
      found.reason = "it is no text";
    }
    pins.services.push_back(std::move(found));
  }
  pins.text = pins_text(pins.services, origin);
  return pins;
}

bool is_service_pins(std::string_view text) { return text.starts_with(kWrittenBy); }

}  // namespace kiln

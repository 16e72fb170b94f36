#include "builder/definitions/target_parts.hpp"

#include <algorithm>

#include "builder/definitions/bake_attributes.hpp"

namespace kiln {

namespace {

using Texts = std::optional<std::vector<std::string>>;

void append(Texts& into, const Texts& from) {
  if (!from) return;
  if (!into) into.emplace();
  for (const std::string& value : *from) {
    if (std::find(into->begin(), into->end(), value) == into->end()) into->push_back(value);
  }
}

}  // namespace

void TargetParts::merge(const TargetParts& over) {
  for (const BakeAttribute& attribute : bake_attributes()) {
    std::visit(
        [&](const auto member) {
          auto& into = this->*member;
          const auto& from = over.*member;
          if constexpr (std::is_same_v<decltype(member), const BakeAttribute::Pairs>) {
            for (const auto& [key, value] : from) into[key] = value;
          } else if constexpr (std::is_same_v<decltype(member), const BakeAttribute::Texts>) {
            if (attribute.inheritance == Inheritance::appends) return append(into, from);
            if (from) into = from;
          } else if (from) {
            into = from;
          }
        },
        attribute.member);
  }
}

void TargetParts::apply_to(TargetSpec& target, const fs::path& working_directory) const {
  for (const BakeAttribute& attribute : bake_attributes()) {
    if (attribute.is_said(*this)) attribute.apply(*this, target, working_directory);
  }
}

}  // namespace kiln

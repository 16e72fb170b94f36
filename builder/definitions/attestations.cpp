#include "builder/definitions/attestations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake/entries.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/target_spec.hpp"

namespace kiln {

namespace {

using Members = hcl::Value::Members;

constexpr std::string_view kSbom = "sbom";
constexpr std::string_view kProvenance = "provenance";

// One word on its way to a wish.
class AttestationWord {
 public:
  AttestationWord(const std::string& text, std::string_view what) : text_(text), what_(what) {
    try {
      members_ = bake::entries_of_text(bake::EntryKind::attestation, text).front().members();
    } catch (const hcl::ValueError& error) {
      refuse(error.what());
    }
    type_ = members_.at("type").text();
  }

  const std::string& type() const { return type_; }

  void apply_to(AttestationWishes& wishes) const {
    const bool is_off = members_.contains("disabled");
    if (type_ == kSbom) {
      wishes.sbom = !is_off;
      wishes.is_sbom_of_files = !is_off && has_files();
    } else if (type_ == kProvenance) {
      wishes.is_provenance_said = true;
      wishes.provenance.reset();
      if (!is_off) wishes.provenance = provenance();
    } else {
      refuse(fmt::format("unknown type '{}'; known: provenance, sbom", printable(type_)));
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(Category::usage, fmt::format("{} '{}': {}", what_, printable(text_), why));
  }

  template <class Options>
  [[noreturn]] void refuse_option(const std::string& key, const Options& known) const {
    std::vector<std::string> names(known.begin(), known.end());
    refuse(fmt::format("unknown option '{}' of {}{}", printable(key), type_, suggestion(key, names)));
  }

  // Whether the SBOM is to have files.
  bool has_files() const {
    bool is_wanted = false;
    for (const auto& [key, value] : members_) {
      if (key == "type") continue;
      if (key == "file-digests") {
        is_wanted = flag(key, value.text());
        continue;
      }
      if (key == "generator") {
        refuse(
            "kiln runs no generator's image: it reads the package databases of every layer itself; leave "
            "'generator' out");
      }
      refuse_option(key, std::array<const char*, 1>{"file-digests"});
    }
    return is_wanted;
  }

  bool flag(const std::string& key, const std::string& value) const {
    const auto flag = bake::flag_of_text(value);
    if (!flag) refuse(fmt::format("'{}' must be true or false, got '{}'", key, printable(value)));
    return *flag;
  }

  ProvenanceWish provenance() const {
    static constexpr std::array<const char*, 5> kOptions = {"mode", "builder-id", "reproducible", "inline-only",
                                                            "version"};
    ProvenanceWish wish;
    for (const auto& [key, member] : members_) {
      const std::string& value = member.text();
      if (key == "type") continue;
      if (key == "mode") {
        if (value != "min" && value != "max" && value != "full")
          refuse(fmt::format("mode is 'min' or 'max', got '{}'", printable(value)));
        wish.mode = value == "min" ? ProvenanceMode::min : ProvenanceMode::max;
      } else if (key == "builder-id") {
        wish.builder_id = value;
      } else if (key == "reproducible") {
        wish.is_reproducible = flag(key, value);
      } else if (key == "inline-only") {
        flag(key, value);  // as always: nothing is written beside files
      } else if (key == "version") {
        if (value != "v1") refuse("kiln writes SLSA provenance v1; leave 'version' out");
      } else if (key == "filename") {
        refuse("outputs of files get no provenance; 'filename' names nothing here");
      } else if (key == "capture-usage" || key == "complete-materials") {
        if (flag(key, value)) refuse(fmt::format("'{}' cannot be had; leave it out", key));
      } else {
        refuse_option(key, kOptions);
      }
    }
    return wish;
  }

  const std::string& text_;
  std::string_view what_;
  Members members_;
  std::string type_;
};

std::string type_of_attestation(const std::string& word) {
  try {
    return bake::entries_of_text(bake::EntryKind::attestation, word).front().members().at("type").text();
  } catch (const hcl::ValueError&) {
    return "";  // it is refused where it is read
  }
}

}  // namespace

std::string_view to_string(ProvenanceMode mode) { return mode == ProvenanceMode::min ? "min" : "max"; }

AttachedAs parse_attached_as(std::string_view text, std::string_view what) {
  if (text == "referrers") return AttachedAs::referrers;
  if (text == "index") return AttachedAs::index;
  throw Error(Category::usage, fmt::format("{} '{}': expected 'referrers' or 'index'", what, printable(text)));
}

AttestationWishes parse_attestations(const std::vector<std::string>& words, std::string_view what) {
  AttestationWishes wishes;
  for (const std::string& word : words) AttestationWord(word, what).apply_to(wishes);
  return wishes;
}

AttestationWishes TargetSpec::attestation_wishes() const { return parse_attestations(attestations, "attest"); }

std::string attestation_word(std::string_view type, const std::string& value) {
  if (value.empty()) return "";
  const auto flag = bake::flag_of_text(value);
  return fmt::format("type={},{}", type, flag ? fmt::format("disabled={}", !*flag) : value);
}

std::vector<std::string> with_inherited_attestations(const std::vector<std::string>& own,
                                                     const std::vector<std::string>& inherited) {
  std::vector<std::string> result;
  for (const std::string& word : inherited) {
    const std::string type = type_of_attestation(word);
    const bool is_said = std::any_of(own.begin(), own.end(),
                                     [&](const std::string& other) { return type_of_attestation(other) == type; });
    if (!is_said) result.push_back(word);
  }
  result.insert(result.end(), own.begin(), own.end());
  return result;
}

}  // namespace kiln

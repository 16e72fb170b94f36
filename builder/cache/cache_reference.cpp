#include "builder/cache/cache_reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "base/credentials.hpp"
#include "base/csv.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/url.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kMostTimeoutSeconds = 3600;

// What buildx knows and kiln has not, with what to use instead.
constexpr std::pair<std::string_view, std::string_view> kRefused[] = {
    {"gha", "GitHub's cache service speaks a protocol of its own; use type=registry with a repository on ghcr.io"},
    {"inline", "kiln's records do not fit into an image's config; use type=registry with a repository of its own"},
    {"s3", "use type=http with a server in front of the bucket, or type=registry"},
    {"azblob", "use type=http with a server in front of the container, or type=registry"},
};

const std::vector<std::string> kKeys = {"type", "src", "dest", "url", "ref", "mode", "ignore-error", "timeout"};

// The options that say where a cache is, each of one type.
constexpr std::pair<std::string_view, CacheType> kPlaces[] = {
    {"src", CacheType::local}, {"dest", CacheType::local}, {"url", CacheType::http}, {"ref", CacheType::registry}};

// Options that buildx has and that change nothing here: entries have a form of their own.
const std::vector<std::string> kNeedless = {"compression", "compression-level", "force-compression", "tag", "digest"};

// What buildx needs at registries that refuse its indexes (ECR), and what kiln does everywhere.
const std::vector<std::string> kAlwaysTrue = {"image-manifest", "oci-mediatypes"};

class ReferenceReader {
 public:
  ReferenceReader(std::string_view text, CacheDirection direction, const fs::path& base)
      : text_(text),
        base_(base),
        flag_(direction == CacheDirection::from ? "--cache-from" : "--cache-to"),
        direction_(direction) {}

  CacheReference read() {
    const std::vector<std::string> fields = read_fields();
    shown_ = shown(fields);
    if (fields.size() == 1 && text_.find('=') == std::string_view::npos) {
      reference_ = std::string(trim(text_));
      has_type_ = true;
    } else {
      for (const std::string& field : fields) read_field(field);
    }
    if (!has_type_) fail("type is missing; for example type=registry,ref=ghcr.io/acme/cache");
    refuse_places_of_other_types();
    choose_place();
    return result_;
  }

 private:
  [[noreturn]] void fail(std::string_view problem) const {
    throw Error(Category::usage, without_url_credentials(fmt::format("{} '{}': {}", flag_, shown_, problem)));
  }

  // The text without the values of options that kiln does not have: of other builders' some are credentials.
  static std::string shown(const std::vector<std::string>& fields) {
    std::vector<std::string> parts;
    for (const std::string& field : fields) {
      const std::size_t equals = field.find('=');
      const bool has_key = equals != std::string::npos;
      const std::string key = has_key ? to_lower(trim(field.substr(0, equals))) : std::string();
      const bool is_known = has_key ? is_any_of(key, kKeys) || is_any_of(key, kNeedless) || is_any_of(key, kAlwaysTrue)
                                    : fields.size() == 1;
      parts.push_back(is_known ? printable(field) : has_key ? printable(key) + "=***" : "***");
    }
    return join(parts, ",");
  }

  static bool is_any_of(const std::string& key, const std::vector<std::string>& keys) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  }

  std::vector<std::string> read_fields() const {
    try {
      return csv_fields(text_, flag_);
    } catch (const Error& error) {
      // The message quotes the text, of which it is not known where a value ends.
      std::vector<std::string> parts;
      for (const std::string_view part : split(text_, ',')) {
        const std::size_t begin = part.find_first_not_of(" \"");
        parts.emplace_back(part.substr(std::min(begin, part.size())));
      }
      if (shown(parts).find("***") != std::string::npos)
        throw Error(error.category(), fmt::format("{}: a quote is not closed, or stands inside of a field", flag_));
      throw Error(error.category(), without_url_credentials(error.message()));
    }
  }

  void read_type(const std::string& value) {
    has_type_ = true;
    for (const auto& [name, instead] : kRefused) {
      if (value == name) fail(fmt::format("type={} cannot be had: {}", name, instead));
    }
    if (value == "local") {
      result_.type = CacheType::local;
    } else if (value == "http") {
      result_.type = CacheType::http;
    } else if (value == "registry") {
      result_.type = CacheType::registry;
    } else {
      fail(fmt::format("unknown type '{}'{}", printable(value), suggestion(value, {"local", "http", "registry"})));
    }
  }

  void read_mode(const std::string& value) {
    if (value == "min") {
      result_.mode = CacheMode::min;
    } else if (value == "max") {
      result_.mode = CacheMode::max;
    } else if (value == "read") {
      result_.mode = CacheMode::read;
    } else {
      fail(fmt::format("unknown mode '{}'{}", printable(value), suggestion(value, {"min", "max", "read"})));
    }
  }

  void read_field(std::string_view field) {
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos) fail("expected KEY=VALUE, got a word without '='");
    const std::string key = to_lower(trim(field.substr(0, equals)));
    const std::string value(trim(field.substr(equals + 1)));
    if (!given_.insert(key).second) fail(fmt::format("'{}' is given twice", printable(key)));
    // What is written is said by --cache-to; in --cache-from buildx takes these words too.
    if (direction_ == CacheDirection::from && (key == "mode" || key == "ignore-error")) result_.unused.push_back(key);
    if (key == "type") {
      read_type(value);
    } else if (key == "src") {
      source_ = value;
    } else if (key == "dest") {
      destination_ = value;
    } else if (key == "url") {
      url_ = value;
    } else if (key == "ref") {
      reference_ = value;
    } else if (key == "mode") {
      read_mode(value);
    } else if (key == "ignore-error") {
      result_.ignore_error = truth_of(key, value);
    } else if (key == "timeout") {
      const auto seconds = parse_unsigned(value);
      if (!seconds || *seconds == 0 || *seconds > kMostTimeoutSeconds)
        fail(fmt::format("timeout must be 1 to {} seconds, got '{}'", kMostTimeoutSeconds, printable(value)));
      result_.timeout_seconds = static_cast<int>(*seconds);
    } else {
      if (is_any_of(key, kAlwaysTrue)) {
        if (truth_of(key, value)) return;
        fail(fmt::format("'{}={}': entries are OCI image manifests wherever they are; leave it out", key,
                         printable(value)));
      }
      if (is_any_of(key, kNeedless))
        fail(fmt::format("'{}' has no meaning here: kiln keeps layers as the images have them; leave it out", key));
      fail(fmt::format("unknown option '{}'{}", printable(key), suggestion(key, kKeys)));
    }
  }

  // In the words of Go's strconv.ParseBool, which buildx reads them by.
  bool truth_of(std::string_view key, std::string_view value) const {
    for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
      if (value == yes) return true;
    }
    for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
      if (value == no) return false;
    }
    fail(fmt::format("{} must be true or false, got '{}'", key, printable(value)));
  }

  void refuse_places_of_other_types() const {
    for (const auto& [key, type] : kPlaces) {
      if (type != result_.type && given_.count(std::string(key)) != 0)
        fail(fmt::format("'{}' is an option of type={}", key, name_of(type)));
    }
    if (given_.count("src") != 0 && given_.count("dest") != 0)
      fail("'src' and 'dest' are one folder here: give one of them");
  }

  static std::string_view name_of(CacheType type) {
    return type == CacheType::local ? "local" : type == CacheType::http ? "http" : "registry";
  }

  void choose_place() {
    if (result_.type == CacheType::local) {
      const bool is_from = direction_ == CacheDirection::from;
      const std::string& folder =
          is_from ? (source_.empty() ? destination_ : source_) : (destination_.empty() ? source_ : destination_);
      if (folder.empty()) fail(fmt::format("type=local needs {}=FOLDER", is_from ? "src" : "dest"));
      result_.place = fs::absolute(base_ / folder).lexically_normal().native();
    } else if (result_.type == CacheType::http) {
      if (url_.empty()) fail("type=http needs url=URL");
      try {
        Url::parse(url_);
      } catch (const Error& error) {
        fail(error.message());
      }
      result_.place = url_;
    } else {
      if (reference_.empty()) fail("type=registry needs ref=REFERENCE");
      if (oci::Reference::parse(reference_).digest) fail("ref must name a repository, not a digest");
      result_.place = reference_;
    }
  }

  std::string_view text_;
  const fs::path& base_;
  std::string_view flag_;
  CacheDirection direction_;
  CacheReference result_;
  std::string shown_;
  bool has_type_ = false;
  std::set<std::string> given_;
  std::string source_, destination_, url_, reference_;
};

}  // namespace

CacheReference parse_cache_reference(std::string_view text, CacheDirection direction, const fs::path& base) {
  return ReferenceReader(text, direction, base).read();
}

}  // namespace kiln

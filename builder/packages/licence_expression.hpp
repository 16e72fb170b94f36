#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// A licence expression of SPDX (SPDX 2.3, annex D), with AND, OR, WITH and brackets; AND binds closer than OR.
class LicenceExpression {
 public:
  // Error{usage} for what is no such expression. Brackets may be nested 64 deep.
  static LicenceExpression parse(std::string_view text);

  // Asked for "MIT" or, with an exception, "GPL-2.0-only WITH Classpath-exception-2.0".
  using IsForbidden = std::function<bool(std::string_view licence)>;
  // The licences that stand in the way, each once: of alternatives those of all where each has one, and none where one
  // has none. Empty: it may be used.
  std::vector<std::string> obstacles(const IsForbidden& is_forbidden) const;

 private:
  enum class Kind { licence, all_of, one_of };
  class Reader;

  Kind kind_ = Kind::licence;
  std::string licence_;
  std::vector<LicenceExpression> parts_;
};

}  // namespace kiln

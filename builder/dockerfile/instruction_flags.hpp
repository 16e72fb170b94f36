#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::dockerfile {

// The flags of one instruction, checked against the table of those it has.
class InstructionFlags {
 public:
  // Error{usage} for an unknown flag (with the nearest real one), a missing or wrong value, a repeated flag.
  InstructionFlags(std::string_view keyword, const std::vector<std::string>& written);

  std::string text(std::string_view name) const;  // empty where not given
  std::optional<bool> boolean(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

}  // namespace kiln::dockerfile

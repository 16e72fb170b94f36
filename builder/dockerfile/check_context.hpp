#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/dockerfile/checks.hpp"

// What the rules' sources share; inside of the room only.
namespace kiln::dockerfile {

// One stage as the rules see it.
struct StageView {
  const Stage* stage = nullptr;
  const StageView* parent = nullptr;  // the stage of this file that it is built on
  std::string base;                   // the expanded base name
};

class CheckContext {
 public:
  CheckContext(const Dockerfile& file, const std::vector<LineRange>& empty_continuations, const CheckOptions& options,
               CheckSettings settings);

  const Dockerfile& file() const { return file_; }
  const CheckOptions& options() const { return options_; }
  const std::vector<LineRange>& empty_continuations() const { return empty_continuations_; }
  const GlobalScope& global() const { return global_; }
  const std::vector<StageView>& stages() const { return stages_; }
  const StageView* target() const;  // the stage of the finished image; nullptr in a file without stages

  // Adds a finding unless the settings, or a `# check=skip=` comment above the instruction, skip the rule.
  void report(std::string_view rule, std::string_view message, LineRange lines,
              const std::vector<std::string>& comments);
  void report(std::string_view rule, std::string_view message, const Instruction& instruction) {
    if (!looks_at(rule, instruction)) return;
    report(rule, message, instruction.lines, instruction.comments);
  }
  void report(std::string_view rule, std::string_view message, const Stage& stage) {
    report(rule, message, stage.lines, stage.comments);
  }
  // The first mistake that keeps the Dockerfile from being built.
  void fail(const Error& error, LineRange lines);

  std::vector<Finding> take_findings();
  std::optional<std::pair<Error, LineRange>> take_error() { return std::move(error_); }

 private:
  void resolve_stages();
  // Whether the instruction stands in a stage that is built, or the rule is one of those that read the whole file.
  bool looks_at(std::string_view rule, const Instruction& instruction) const;

  const Dockerfile& file_;
  const std::vector<LineRange>& empty_continuations_;
  const CheckOptions& options_;
  CheckSettings settings_;
  GlobalScope global_;
  std::vector<StageView> stages_;
  std::vector<Finding> findings_;
  std::optional<std::pair<Error, LineRange>> error_;
};

// Whether a comment line is a `check=...` directive of the instruction below it.
std::optional<CheckSettings> local_settings(const std::string& comment);

void check_style(CheckContext& context);
void check_from(CheckContext& context);
void check_variables(CheckContext& context);
void check_config(CheckContext& context);
void check_layers(CheckContext& context);
void check_image(CheckContext& context);

}  // namespace kiln::dockerfile

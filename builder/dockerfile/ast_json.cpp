#include "builder/dockerfile/ast_json.hpp"

#include <nlohmann/json.hpp>

namespace kiln::dockerfile {
namespace {

nlohmann::json heredocs_json(const std::vector<Heredoc>& heredocs) {
  nlohmann::json out = nlohmann::json::array();
  for (const Heredoc& heredoc : heredocs) {
    out.push_back({{"name", heredoc.name},
                   {"content", heredoc.content},
                   {"expand", heredoc.expand},
                   {"chomp", heredoc.strip_tabs},
                   {"fd", heredoc.fd}});
  }
  return out;
}

nlohmann::json node_json(const Node& node) {
  nlohmann::json out = {
      {"instruction", node.keyword},    {"flags", node.flags},         {"heredocs", heredocs_json(node.heredocs)},
      {"start_line", node.lines.first}, {"end_line", node.lines.last}, {"original", node.original}};
  nlohmann::json& args = out[node.json ? "json" : "args"] = node.args;
  for (const Node& child : node.children) {
    nlohmann::json trigger = {{"instruction", child.keyword}, {"flags", child.flags}};
    trigger[child.json ? "json" : "args"] = child.args;
    args.push_back(std::move(trigger));
  }
  return out;
}

}  // namespace

nlohmann::json ast_json(const SyntaxTree& tree) {
  nlohmann::json out = nlohmann::json::array();
  for (const Node& node : tree.nodes) out.push_back(node_json(node));
  return out;
}

}  // namespace kiln::dockerfile

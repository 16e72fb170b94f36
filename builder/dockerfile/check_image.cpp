#include <fmt/format.h>

#include "base/text.hpp"
#include "builder/dockerfile/check_context.hpp"

// kiln's rules about the finished image: what it stands on, and how its program runs.
namespace kiln::dockerfile {
namespace {

void floating_tags(CheckContext& context) {
  for (const StageView& view : context.stages()) {
    if (view.parent || view.base.empty() || view.base == "scratch") continue;
    if (context.options().fleet_images.count(view.base) != 0) continue;
    const std::string& name = view.base;
    if (name.find('@') != std::string::npos || name.back() == ':') continue;
    const auto slash = name.rfind('/');
    const auto colon = name.find(':', slash == std::string::npos ? 0 : slash);
    const std::string tag = colon == std::string::npos ? "" : name.substr(colon + 1);
    if (!tag.empty() && tag != "latest") continue;
    context.report("FloatingTag",
                   fmt::format("'{}' is another image every time its publisher wants; name a version, or a digest: "
                               "{}@sha256:...",
                               printable(name), printable(name.substr(0, colon))),
                   *view.stage);
  }
}

// The stage itself, then what it is built on.
std::vector<const StageView*> chain(const StageView& last) {
  std::vector<const StageView*> out;
  for (const StageView* view = &last; view; view = view->parent) out.push_back(view);
  return out;
}

// The last instruction of a kind in the image, nullptr where there is none.
template <class Body>
const Instruction* last_of(const std::vector<const StageView*>& stages) {
  for (const StageView* view : stages) {
    const auto& instructions = view->stage->instructions;
    for (auto it = instructions.rbegin(); it != instructions.rend(); ++it) {
      if (std::holds_alternative<Body>(it->body)) return &*it;
    }
  }
  return nullptr;
}

bool is_root(const std::string& user) {
  const std::string name = user.substr(0, user.find(':'));
  return name == "root" || name == "0";
}

}  // namespace

void check_image(CheckContext& context) {
  floating_tags(context);
  const StageView* target = context.target();
  if (!target) return;
  const auto stages = chain(*target);
  const Instruction* program = last_of<Entrypoint>(stages);
  if (!program) program = last_of<Cmd>(stages);
  if (!program) return;

  const std::string& base = stages.back()->base;
  if (const Instruction* user = last_of<User>(stages)) {
    if (is_root(std::get<User>(user->body).user)) {
      context.report("RootAtRunTime", "the program runs as root; name another USER below the last step that needs root",
                     *user);
    }
  } else {
    context.report("RootAtRunTime",
                   fmt::format("there is no USER, so that the program runs as root unless '{}' names another one; add "
                               "USER with a name or number",
                               printable(base)),
                   *program);
  }
  if (!last_of<Healthcheck>(stages)) {
    context.report("NoHealthcheck",
                   "there is no HEALTHCHECK, so that it does not show from outside whether the program works; add "
                   "HEALTHCHECK CMD, or HEALTHCHECK NONE where there is nothing to ask",
                   *program);
  }
}

}  // namespace kiln::dockerfile

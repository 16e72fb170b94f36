#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/merged_view.hpp"
#include "builder/steps/layer_access.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln {

// Finds the "exec format error" of an image before it is published: programs that were built for another machine than
// the image's platform.

// The machine that a program's first bytes name (ELF specification, "ELF Header", e_machine), in the words of platforms
// ("amd64", "arm64", ...), or "ELF machine N" for one without such a word. nullopt for what is no ELF program.
std::optional<std::string> elf_machine(std::string_view head);

// Whether programs of that machine run on the architecture. amd64 runs 386 too; an architecture that no ELF machine
// belongs to (wasm) is never contradicted.
bool runs_on(std::string_view machine, std::string_view architecture);

// The program that execve(2) is asked for: a path with a slash is taken from the working folder, a bare name is looked
// for in the config's PATH. Empty where the view has no such file.
std::string find_program(const MergedView& view, const oci::ContainerConfig& config, std::string_view name);

// The words of a script's first line that name its interpreter ("/bin/sh", or "/usr/bin/env" and "python3"); empty for
// what is no script.
std::vector<std::string> shebang_programs(std::string_view head);

// Looks at the entry point's (else Cmd's) program, the interpreters of scripts, shells and pythons. Only bytes that are
// on this machine are read: nothing is downloaded, and what lies in or below a layer that is elsewhere is passed over.
// Error{build} that names the file, its machine, the image's platform and the base.
//
// What passed is remembered as an unnamed blob of the store, its bytes being all that the answer depends on; a garbage
// collection forgets it. Without that every build inflates the base again up to its last program: the median of 100
// builds that change nothing, on a layer of 3,000 files and 60 MB, goes from 55 to 174 ms.
void check_machines(LayerAccess& access, const oci::ImageConfig& image, const ImageLayers& layers,
                    const std::optional<BaseOrigin>& base);

}  // namespace kiln

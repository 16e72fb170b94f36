#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "builder/definitions/target_spec.hpp"

namespace kiln {

// The grammars of what docker and buildx say of a target in one text: one parser for each, whether the text is a flag's
// value, a bake file's or --set's. Errors are Error{usage} and name the text; relative paths are taken from
// `working_directory`.

// "id=ID[,src=FILE|,env=NAME]" or "type=file|env,...": one line of CSV.
SecretSource parse_secret(std::string_view text, const fs::path& working_directory = {});
// A secret for which neither a file nor a variable was named is the environment's variable of its ID, else the file of
// that name, as for docker. To be asked where it is used: what the environment has is the machine's own.
SecretSource located(SecretSource secret);

// "default", or "ID[=PATH[,PATH]]".
SshForward parse_ssh(std::string_view text, const fs::path& working_directory = {});

// "linux/amd64,linux/arm64": those of all texts, each once; "local" is the machine's own.
std::vector<oci::Platform> parse_platforms(const std::vector<std::string>& texts);

// "NAME:ADDRESS" or "NAME=ADDRESS": the name and the IP address, which may be in brackets; "host-gateway" is 127.0.0.1.
std::pair<std::string, std::string> parse_host(std::string_view text);

// "64m", "1g", "1024", docker's sizes: units are powers of 1024. nullopt for what is none.
std::optional<std::uint64_t> parse_memory_size(std::string_view text);

// A path that a definition says; "cwd://" before it changes nothing.
fs::path path_from(std::string_view text, const fs::path& working_directory);

}  // namespace kiln

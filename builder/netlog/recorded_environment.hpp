#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kiln {

// What makes the programs of a RUN use the recording proxy and believe its authority. None of it is in a key, a config
// or a layer.
struct RecordedEnvironment {
  struct File {
    std::string path;  // in the container, below /run/kiln
    std::string text;
  };
  std::vector<std::string> variables;  // "K=V"
  std::vector<File> files;
};

// `authorities`: the proxy's own and those that programs shall believe besides, PEM. `password` as in RecordingOptions.
RecordedEnvironment recorded_environment(const std::string& folder, const std::string& authorities, std::uint16_t port,
                                         const std::string& password);

// What each variable that `env` ("K=V") sets otherwise means for the record, for people; empty where all is well.
std::vector<std::string> defeated_variables(const RecordedEnvironment& environment,
                                            const std::vector<std::string>& env);

}  // namespace kiln

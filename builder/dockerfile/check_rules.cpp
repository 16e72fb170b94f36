#include "builder/dockerfile/checks.hpp"

// The table of rules. A rule that stands here has a page, and a test finds it at least once.
namespace kiln::dockerfile {

const std::vector<Rule>& rules() {
  using enum RuleOrigin;
  using enum RuleState;
  static const std::vector<Rule> table = {
      {"StageNameCasing", "Stage names should be lower case", "docs/rules/stage-name-casing.md"},
      {"FromAsCasing", "The case of AS should follow that of its FROM", "docs/rules/from-as-casing.md"},
      {"NoEmptyContinuation", "An instruction should not go on across empty lines",
       "docs/rules/no-empty-continuation.md"},
      {"ConsistentInstructionCasing", "All instructions of a file should use the same case",
       "docs/rules/consistent-instruction-casing.md"},
      {"DuplicateStageName", "Two stages should not have the same name", "docs/rules/duplicate-stage-name.md"},
      {"ReservedStageName", "A stage should not be called 'scratch' or 'context'", "docs/rules/reserved-stage-name.md"},
      {"JSONArgsRecommended", "CMD and ENTRYPOINT should be JSON arrays, so that signals reach the program",
       "docs/rules/json-args-recommended.md"},
      {"MaintainerDeprecated", "A label has replaced MAINTAINER", "docs/rules/maintainer-deprecated.md"},
      {"UndefinedArgInFrom", "FROM should use declared ARGs only", "docs/rules/undefined-arg-in-from.md"},
      {"WorkdirRelativePath", "The first WORKDIR should be absolute", "docs/rules/workdir-relative-path.md"},
      {"UndefinedVar", "A variable should be defined before it is used", "docs/rules/undefined-var.md"},
      {"MultipleInstructionsDisallowed", "Of several CMD, ENTRYPOINT or HEALTHCHECK only the last one counts",
       "docs/rules/multiple-instructions-disallowed.md"},
      {"LegacyKeyValueFormat", "ENV and LABEL should be written with '='", "docs/rules/legacy-key-value-format.md"},
      {"InvalidBaseImagePlatform", "The base image should be made for the platform that is built",
       "docs/rules/invalid-base-image-platform.md"},
      {"RedundantTargetPlatform", "--platform=$TARGETPLATFORM says what is the case anyway",
       "docs/rules/redundant-target-platform.md"},
      {"SecretsUsedInArgOrEnv", "Secrets should not stand in ARG or ENV", "docs/rules/secrets-used-in-arg-or-env.md"},
      {"InvalidDefaultArgInFrom", "FROM should be valid with the ARGs' default values",
       "docs/rules/invalid-default-arg-in-from.md"},
      {"FromPlatformFlagConstDisallowed", "FROM --platform should not be a constant",
       "docs/rules/from-platform-flag-const-disallowed.md"},
      {"CopyIgnoredFile", "COPY and ADD should not name what .dockerignore leaves out",
       "docs/rules/copy-ignored-file.md"},
      {"InvalidDefinitionDescription", "A comment above FROM or ARG should begin with the name it describes",
       "docs/rules/invalid-definition-description.md", buildkit, experimental},
      {"ExposeProtoCasing", "Protocols of EXPOSE should be lower case", "docs/rules/expose-proto-casing.md"},
      {"ExposeInvalidFormat", "EXPOSE should name ports of the container only", "docs/rules/expose-invalid-format.md"},

      {"ChownInOwnLayer", "A chown or chmod of files from earlier layers copies them into a new one",
       "docs/rules/chown-in-own-layer.md", kiln},
      {"AptListsLeftBehind", "apt's package lists should not stay in a layer", "docs/rules/apt-lists-left-behind.md",
       kiln},
      {"PipCacheInLayer", "pip's download cache should not stay in a layer", "docs/rules/pip-cache-in-layer.md", kiln},
      {"RemovedInLaterLayer", "Removing files of an earlier layer does not make the image smaller",
       "docs/rules/removed-in-later-layer.md", kiln},
      {"CopyBeforeDependencies", "Copying the whole context before installing dependencies defeats the cache",
       "docs/rules/copy-before-dependencies.md", kiln},
      {"ProfileArgAboveHeavyRun", "An ARG that differs by machine should stand below steps that do not need it",
       "docs/rules/profile-arg-above-heavy-run.md", kiln},
      {"CudaLibrariesTwice", "CUDA libraries should come into an image once", "docs/rules/cuda-libraries-twice.md",
       kiln},
      {"FloatingTag", "A base image should be named by version or digest", "docs/rules/floating-tag.md", kiln},
      {"RootAtRunTime", "The program should not run as root", "docs/rules/root-at-run-time.md", kiln},
      {"NoHealthcheck", "An image that runs a program should say how to see that it is well",
       "docs/rules/no-healthcheck.md", kiln},
      {"SecretLikeName", "What has a name like a secret's should not stand in ARG or ENV",
       "docs/rules/secret-like-name.md", kiln},
      {"PasswordInUrl", "What an image holds should have no URL with a password", "docs/rules/password-in-url.md", kiln,
       RuleState::on, true},
  };
  return table;
}

}  // namespace kiln::dockerfile

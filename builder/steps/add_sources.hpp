#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "builder/steps/copy_plan.hpp"
#include "builder/steps/git_checkout.hpp"
#include "builder/steps/git_source.hpp"
#include "builder/steps/layer_access.hpp"
#include "builder/steps/source_secrets.hpp"

namespace kiln {

// Where ADD gets what is on no disk of this build. Any thread.
class SourceFetcher {
 public:
  virtual ~SourceFetcher() = default;
  // The file behind an http or https URL, alone in a tree under file_name_of_url(). Errors as fetch_url().
  virtual std::shared_ptr<CopySource> fetch(const std::string& url, const std::string& checksum,
                                            const SourceSecrets& secrets) = 0;
  // The wanted folder of a repository. Errors as check_out_git().
  virtual std::shared_ptr<CopySource> check_out(const GitReference& reference, const GitCheckout& options) = 0;
};

// By libcurl and the git program; offline neither.
class RemoteFetcher final : public SourceFetcher {
 public:
  explicit RemoteFetcher(LayerAccess& layers) : layers_(layers) {}
  std::shared_ptr<CopySource> fetch(const std::string& url, const std::string& checksum,
                                    const SourceSecrets& secrets) override;
  std::shared_ptr<CopySource> check_out(const GitReference& reference, const GitCheckout& options) override;

 private:
  LayerAccess& layers_;
};

// What an ADD says of its sources, expanded.
struct AddOptions {
  std::string checksum;
  bool keep_git_dir = false;
  std::optional<bool> unpack;
  SourceSecrets secrets;
  std::shared_ptr<CopySource> image;  // what is added to: archives may have hard links to its files
};

// Puts the sources of one ADD into a plan, whatever they are: files of the context, archives to be unpacked, URLs, git
// repositories.
class AddSources {
 public:
  // Sources that the plan refers to are added to `kept`, which has to live as long as the plan.
  using Kept = std::vector<std::shared_ptr<CopySource>>;
  AddSources(SourceFetcher& fetcher, LayerAccess& layers, CopyPlan& plan, Kept& kept, AddOptions options)
      : fetcher_(fetcher), layers_(layers), plan_(plan), kept_(kept), options_(std::move(options)) {}

  // `context` may be null where the path is fetched from elsewhere.
  void add(const std::string& path, const std::string& destination, const std::shared_ptr<CopySource>& context);

 private:
  void add_local_file(const std::shared_ptr<CopySource>& source, const std::string& path,
                      const std::string& destination);

  SourceFetcher& fetcher_;
  LayerAccess& layers_;
  CopyPlan& plan_;
  Kept& kept_;
  AddOptions options_;
};

}  // namespace kiln

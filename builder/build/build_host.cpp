#include "builder/build/build_host.hpp"

namespace kiln {

std::unique_ptr<Runner> BuildHost::start_runner() const { return Runner::start(WithoutRoot::enter_user_namespace); }

HomeLayout BuildHost::open_home() const { return HomeLayout::open(HomeLayout::default_root()); }

std::unique_ptr<RemoteSession> BuildHost::open_remote(Log& log, const CancelToken& cancel) const {
  return RemoteSession::open(RemoteSettings::from_environment(), log, cancel);
}

std::unique_ptr<BaseSource> BuildHost::open_bases(const BaseTools& tools, const BaseSettings& settings) const {
  return std::make_unique<BaseImages>(tools, settings);
}

std::unique_ptr<SourceFetcher> BuildHost::open_fetcher(LayerAccess& layers) const {
  return std::make_unique<RemoteFetcher>(layers);
}

const BuildClock& BuildHost::clock() const {
  static const BuildClock clock;
  return clock;
}

const BuildHost& this_host() {
  static const BuildHost host;
  return host;
}

}  // namespace kiln

#include "builder/cache/cache_backend.hpp"

#include "builder/cache/http_backend.hpp"
#include "builder/cache/local_backend.hpp"
#include "builder/cache/registry_backend.hpp"

namespace kiln {

std::unique_ptr<CacheBackend> open_cache_backend(const CacheReference& reference, RemoteSession& session) {
  switch (reference.type) {
    case CacheType::local:
      return std::make_unique<LocalBackend>(reference.place);
    case CacheType::http:
      return std::make_unique<HttpBackend>(reference.place, session);
    case CacheType::registry:
      break;
  }
  return std::make_unique<RegistryBackend>(reference.place, session);
}

}  // namespace kiln

#include "registry/remote/proxy.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("https and http go through their own proxies") {
  const ProxySettings proxies("http://p:1", "http://p:2", "");
  CHECK(proxies.proxy_for(Url::parse("http://a.example/")) == "http://p:1");
  CHECK(proxies.proxy_for(Url::parse("https://a.example/")) == "http://p:2");
  CHECK_FALSE(ProxySettings().proxy_for(Url::parse("https://a.example/")).has_value());
}

TEST_CASE("loopback is never asked through a proxy") {
  const ProxySettings proxies("http://p:1", "http://p:2", "");
  for (const char* url : {"http://localhost:5000/", "http://127.0.0.1:5000/", "https://[::1]:5000/"}) {
    CHECK_FALSE(proxies.proxy_for(Url::parse(url)).has_value());
  }
}

TEST_CASE("NO_PROXY names hosts, domains, ports and networks") {
  const ProxySettings proxies("http://p:1", "http://p:1",
                              "a.example, .b.example,c.example:5000,10.0.0.0/8,*.d.example,fd00::/8");
  const auto direct = [&](const char* url) { return !proxies.proxy_for(Url::parse(url)).has_value(); };
  CHECK(direct("https://a.example/"));
  CHECK(direct("https://x.a.example/"));
  CHECK_FALSE(direct("https://xa.example/"));
  CHECK(direct("https://x.b.example/"));
  CHECK_FALSE(direct("https://b.example/"));
  CHECK(direct("https://c.example:5000/"));
  CHECK_FALSE(direct("https://c.example/"));
  CHECK(direct("https://10.255.0.1/"));
  CHECK_FALSE(direct("https://11.0.0.1/"));
  CHECK(direct("https://x.d.example/"));
  CHECK(direct("https://[fd12::1]/"));
  CHECK_FALSE(ProxySettings("http://p", "http://p", "*").proxy_for(Url::parse("https://any/")).has_value());
}

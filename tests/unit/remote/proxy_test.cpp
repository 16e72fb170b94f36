#include "registry/remote/proxy.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

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

TEST_CASE("a proxy's URL may leave out all but the host") {
  for (const char* proxy :
       {"http://p:1", "p", "p:1", "p.example:3128/", "HTTPS://user:pass%2Fword@p.example", "user@p:1", "u:p:w@p",
        "socks5h://u:p@10.0.0.1:1080", "http://[fd00::1]:3128", "http://u:p@[fd00::1]", "http://u:p@ss@p"}) {
    CHECK(ProxySettings(proxy, "", "").proxy_for(Url::parse("http://a.example/")) == proxy);
  }
}

TEST_CASE("what is no URL of a proxy is refused without a part of it, which may be a password") {
  for (const char* proxy :
       {"user:hunter2", "http://user:hunter2@p:99999", "user:hunter2@p:x", "http://user:hunt/er2@p:1",
        "http://user:12/hunter2@p:1", "http://user:1?hunter2@p:1", "http://user:1#hunter2@p", "http:/user:hunter2@p",
        "gopher://user:hunter2@p", "http://user:hunter2@", "http://user:hunter2@[::1", "http://user:hunter2@[::1]x",
        "http://user:hunter2@[hunter2]", "http://user:hun ter2@p"}) {
    CAPTURE(proxy);
    const ProxySettings proxies(proxy, proxy, "");
    CHECK_ERROR(proxies.proxy_for(Url::parse("https://a.example/b?c")), Category::network,
                "the proxy that HTTPS_PROXY or ALL_PROXY names is not the URL of one; expected "
                "http://USER:PASSWORD@HOST:PORT, with %2F for '/' and so on in USER and PASSWORD");
  }
}

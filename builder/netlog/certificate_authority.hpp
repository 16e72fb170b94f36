#pragma once

#include <memory>
#include <string>

namespace kiln {

// A certificate authority of one RUN (ECDSA P-256). Its private key is made with it, is in this process's memory alone
// and ends with it. Any thread may use it.
class CertificateAuthority {
 public:
  CertificateAuthority();
  ~CertificateAuthority();
  CertificateAuthority(const CertificateAuthority&) = delete;
  CertificateAuthority& operator=(const CertificateAuthority&) = delete;

  // Its own certificate, PEM.
  const std::string& certificate() const noexcept;

  // For tls_stream.cpp: an SSL_CTX that shows a certificate for this host, a name or an address. Of so many hosts one
  // is kept; a host beyond them gets a new one each time.
  static constexpr std::size_t kMostHosts = 1'000;
  std::shared_ptr<void> context_for(const std::string& host);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiln

target "web" {
  platforms = ["linux/arm64"]
}
group "default" {
  targets = ["web", "x"]
}
target "x" {
  inherits = ["web"]
  tags = ["acme/x"]
}

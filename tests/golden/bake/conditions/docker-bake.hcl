variable "CI" {
  default = ""
}
target "default" {
  platforms = CI != "" ? ["linux/amd64", "linux/arm64"] : ["linux/amd64"]
  output = [equal(CI, "true") ? "type=registry" : "type=docker"]
  tags = [notequal("", CI) ? "x:ci" : "x:dev", CI == "true" || false ? "" : "x:other"]
}

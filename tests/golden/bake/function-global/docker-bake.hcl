variable "REG" {
  default = "r.io"
}
function "image" {
  params = [n]
  result = "${REG}/${n}"
}
function "images" {
  params = [n]
  result = [image(n), "${image(n)}:x"]
}
target "default" {
  tags = images("a")
}

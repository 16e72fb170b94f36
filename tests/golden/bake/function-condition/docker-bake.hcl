function "tags" {
  params = [image, version]
  result = equal(version, "") ? ["${image}:dev"] : concat(["${image}:${version}"], [for i in range(1, 3): "${image}:${join(".", slice(split(".", version), 0, i))}"])
}
target "default" {
  tags = tags("x/y", "1.2.3")
}

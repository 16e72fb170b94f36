target "default" {
  dockerfile-inline = <<-EOT
    FROM alpine
    %{ for p in ["a", "b"] ~}
    RUN install ${p}
    %{ endfor ~}
    %{ if false }no%{ else }yes%{ endif }
  EOT
}

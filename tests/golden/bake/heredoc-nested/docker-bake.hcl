target "default" {
  dockerfile-inline = <<EOT
FROM scratch
ARG X=$${X:-"q"}
RUN <<EOF
echo $${Y} %%{ if }
EOF
EOT
  args = {
    a = <<-EOT
      ${upper("a")}
        %{~ for x in ["1","2"] ~}
        ${x}
        %{~ endfor ~}
      z
      EOT
    b = <<EOT
%{ for k, v in {a=1,b=2} ~}
${k}=${v}
%{ endfor ~}
EOT
    c = <<-EOT
	tab
	  two
	EOT
    d = "%{ if 1 > 2 }a%{ else }%{ if true }b%{ endif }%{ endif }"
  }
}

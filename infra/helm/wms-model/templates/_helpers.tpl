{{/* The name of everything of the stable track. */}}
{{- define "wms-model.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
{{- end -}}

{{/* What a track's pods are known by, for ever: a Deployment cannot change its selector. Takes `root` and `track`. */}}
{{- define "wms-model.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
track: {{ .track }}
{{- end -}}

{{/* Labels of an object. Takes `root`. */}}
{{- define "wms-model.labels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: serving
app.kubernetes.io/part-of: wms
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{/* Text as a label's value may be: at most 63 letters, digits, dashes, dots. */}}
{{- define "wms-model.label" -}}
{{ regexReplaceAll "[^A-Za-z0-9_.-]" (toString .) "-" | trunc 63 | trimAll "-_." | quote }}
{{- end -}}

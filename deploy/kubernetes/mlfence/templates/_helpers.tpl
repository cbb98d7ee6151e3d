{{- define "mlfence.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "mlfence.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "mlfence.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "mlfence.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "mlfence.selectorLabels" -}}
app.kubernetes.io/name: {{ include "mlfence.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mlfence.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "mlfence.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "mlfence.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "mlfence.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "mlfence.image" -}}
{{- $repository := required "image.repository is needed: where you pushed the image that the Dockerfile makes" .Values.image.repository }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* The port of `http.listen`. */}}
{{- define "mlfence.port" -}}
{{- regexFind "[0-9]+$" .Values.config.http.listen }}
{{- end }}

{{/* The name of the port that serves the metrics. */}}
{{- define "mlfence.metrics" -}}
{{- if .Values.config.http.metrics }}metrics{{ else }}http{{ end }}
{{- end }}

{{/* The scheme of every listener, as a probe or a ServiceMonitor names it. */}}
{{- define "mlfence.scheme" -}}
{{- if .Values.config.http.tls }}https{{ else }}http{{ end }}
{{- end }}

{{/* What the chart writes over `config`. */}}
{{- define "mlfence.config" -}}
{{- $azure := .Values.azure }}
{{- $credential := dict "type" $azure.credential }}
{{- if eq $azure.credential "client_secret" }}
{{- $_ := set $credential "secret_file" "/var/run/secrets/mlfence/client_secret" }}
{{- end }}
{{- if ne $azure.credential "workload_identity" }}
{{- with $azure.clientId }}{{ $_ := set $credential "client_id" . }}{{ end }}
{{- if ne $azure.credential "managed_identity" }}
{{- with $azure.tenantId }}{{ $_ := set $credential "tenant_id" . }}{{ end }}
{{- end }}
{{- end }}
{{- $ledger := dict "path" "memory" }}
{{- if .Values.persistence.enabled }}
{{- $ledger = dict "path" "/var/lib/mlfence/ledger.db" }}
{{- with .Values.persistence.retention }}{{ $_ := set $ledger "retention" . }}{{ end }}
{{- end }}
{{- with .Values.persistence.confirmations }}{{ $_ := set $ledger "confirmations" . }}{{ end }}
{{- $waivers := deepCopy (default dict .Values.config.waivers) }}
{{- $_ := set $waivers "files" (concat (list "waivers.yaml") (default list $waivers.files)) }}
{{- $written := dict "credential" $credential "ledger" $ledger "waivers" $waivers }}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $written) }}
{{- end }}

//! What the controller reads from the cluster's `inferenceservice-config`
//! ConfigMap (namespace `kserve`), and the one this world installs.

use serde_json::{Value, json};

/// Namespace of KServe's own objects.
pub const NAMESPACE: &str = "kserve";
/// Name of the ConfigMap.
pub const CONFIG_MAP: &str = "inferenceservice-config";

/// Annotations that KServe does not hand down to the pods by default. Every
/// other annotation of an InferenceService reaches its pod template: changing
/// one starts new pods.
const KEPT_BACK: [&str; 5] = [
    "autoscaling.knative.dev/min-scale",
    "autoscaling.knative.dev/max-scale",
    "internal.serving.kserve.io/storage-initializer-sourceuri",
    "kubectl.kubernetes.io/last-applied-configuration",
    "modelFormat",
];

/// The settings that matter to the stand-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `deploy.defaultDeploymentMode`
    pub default_mode: String,
    /// `ingress.enableGatewayApi`: HTTPRoutes, else an Ingress.
    pub gateway_api: bool,
    /// `ingress.kserveIngressGateway`: (namespace, name)
    pub gateway: (String, String),
    /// `ingress.ingressDomain`
    pub domain: String,
    /// `ingress.ingressClassName`
    pub ingress_class: String,
    /// `ingress.urlScheme`
    pub scheme: String,
    /// `inferenceService.serviceAnnotationDisallowedList`, with the defaults.
    pub annotations_kept_back: Vec<String>,
    /// `inferenceService.serviceLabelDisallowedList`
    pub labels_kept_back: Vec<String>,
}

impl Default for Settings {
    /// As KServe's Go code has them where the ConfigMap says nothing.
    fn default() -> Self {
        Self {
            default_mode: "Knative".into(),
            gateway_api: false,
            gateway: (NAMESPACE.into(), "kserve-ingress-gateway".into()),
            domain: "example.com".into(),
            ingress_class: "istio".into(),
            scheme: "http".into(),
            annotations_kept_back: KEPT_BACK.map(ToOwned::to_owned).to_vec(),
            labels_kept_back: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads a ConfigMap object; a section that is absent or is not JSON
    /// leaves its defaults.
    pub fn from_config_map(config_map: &Value) -> Self {
        let section = |name: &str| -> Value {
            config_map["data"][name]
                .as_str()
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or(Value::Null)
        };
        let mut settings = Self::default();
        let ingress = section("ingress");
        let deploy = section("deploy");
        let service = section("inferenceService");
        let text = |value: &Value, target: &mut String| {
            if let Some(text) = value.as_str().filter(|text| !text.is_empty()) {
                text.clone_into(target);
            }
        };
        text(&deploy["defaultDeploymentMode"], &mut settings.default_mode);
        settings.default_mode = canonical_mode(&settings.default_mode).to_owned();
        text(&ingress["ingressDomain"], &mut settings.domain);
        text(&ingress["urlScheme"], &mut settings.scheme);
        text(&ingress["ingressClassName"], &mut settings.ingress_class);
        settings.gateway_api = ingress["enableGatewayApi"].as_bool().unwrap_or(false);
        if let Some((namespace, name)) = ingress["kserveIngressGateway"]
            .as_str()
            .and_then(|path| path.split_once('/'))
        {
            settings.gateway = (namespace.to_owned(), name.to_owned());
        }
        let list = |value: &Value| -> Vec<String> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(ToOwned::to_owned)
                .collect()
        };
        settings
            .annotations_kept_back
            .extend(list(&service["serviceAnnotationDisallowedList"]));
        settings
            .labels_kept_back
            .extend(list(&service["serviceLabelDisallowedList"]));
        settings
    }
}

/// The deprecated names of deployment modes, rewritten as the webhook does.
pub fn canonical_mode(mode: &str) -> &str {
    match mode {
        "RawDeployment" => "Standard",
        "Serverless" => "Knative",
        other => other,
    }
}

/// The ConfigMap that this world installs where there is none: Standard mode
/// over the Gateway API, and the console's annotations kept away from pods.
pub fn config_map() -> Value {
    let section = |value: Value| value.to_string();
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP, "namespace": NAMESPACE},
        "data": {
            "deploy": section(json!({"defaultDeploymentMode": "Standard"})),
            "ingress": section(json!({
                "enableGatewayApi": true,
                "kserveIngressGateway": "kserve/kserve-ingress-gateway",
                "ingressGateway": "knative-serving/knative-ingress-gateway",
                "ingressDomain": "example.com",
                "ingressClassName": "istio",
                "domainTemplate": "{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}",
                "urlScheme": "http",
                "disableIstioVirtualHost": false,
                "disableIngressCreation": false,
            })),
            "inferenceService": section(json!({
                "serviceAnnotationDisallowedList": [
                    "gatehouse.dev/change",
                    "gatehouse.dev/content-hash",
                    "gatehouse.dev/revision",
                ],
                "serviceLabelDisallowedList": [],
            })),
            "storageInitializer": section(json!({
                "image": "docker.io/kserve/storage-initializer:v0.20.0",
                "enableModelcar": true,
                "enableOciModelSupport": false,
            })),
            "autoscaler": section(json!({"scaleUpStabilizationWindowSeconds": "0", "scaleDownStabilizationWindowSeconds": "300"})),
            "localModel": section(json!({"enabled": false})),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installed_config_map_reads_back() {
        let settings = Settings::from_config_map(&config_map());
        assert_eq!(settings.default_mode, "Standard");
        assert!(settings.gateway_api);
        assert_eq!(settings.gateway.1, "kserve-ingress-gateway");
        assert!(
            settings
                .annotations_kept_back
                .contains(&"gatehouse.dev/change".to_owned())
        );
    }

    #[test]
    fn an_empty_config_map_means_kserves_own_defaults() {
        assert_eq!(
            Settings::from_config_map(&json!({"data": {"ingress": "not json"}})),
            Settings::default()
        );
    }
}

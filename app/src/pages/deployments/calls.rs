//! How an application calls a deployment: what to copy, for each endpoint whose operation is known. A
//! token is only ever named (`$TOKEN`): the console has none to give.

use crate::components::*;
use domain::endpoints::Endpoint;
use leptos::prelude::*;

/// Something to copy: the program that it is for, and its text.
type Call = (&'static str, String);

/// The calls, folded away; nothing where no operation is known.
pub fn calls(endpoints: &[Endpoint]) -> Option<AnyView> {
    let all: Vec<AnyView> = endpoints
        .iter()
        .flat_map(|e| of(&e.url).into_iter().map(move |call| (e, call)))
        .map(|(e, (program, text))| {
            let label = format!("{}: {program}", e.what);
            view! { <p>{label.clone()}</p><Code text=text label=label /> }.into_any()
        })
        .collect();
    (!all.is_empty()).then(|| {
        view! {
            <details class="gh-details">
                <summary>"How to call it"</summary>
                <div class="gh-stack">
                    <p class="gh-muted">"TOKEN stands for what the gateway in front of it asks for, if it asks for anything; whoever runs the cluster gives it out. The console has none."</p>
                    {all}
                </div>
            </details>
        }
        .into_any()
    })
}

/// The calls of what answers at this address: protocols are told by their paths.
fn of(url: &str) -> Vec<Call> {
    if let Some(base) = url.strip_suffix("/chat/completions") {
        let body = r#""messages": [{"role": "user", "content": "Hello"}]"#;
        let python = "answer = client.chat.completions.create(\n    model=model, messages=[{\"role\": \"user\", \"content\": \"Hello\"}]\n)\nprint(answer.choices[0].message.content)\n";
        open_ai(base, "chat/completions", body, python)
    } else if let Some(base) = url.strip_suffix("/embeddings") {
        let body = r#""input": ["Hello"]"#;
        let python = "answer = client.embeddings.create(model=model, input=[\"Hello\"])\nprint(answer.data[0].embedding)\n";
        open_ai(base, "embeddings", body, python)
    } else if url.ends_with("/v1") || url.ends_with("/v3") {
        // Which of the operations it answers is not known; that it lists its models is.
        let python = "print(model)\n";
        vec![("curl", listed(url)), ("Python", with_client(url, python))]
    } else if url.ends_with(":predict") {
        let body = r#"{"instances": [[1.0, 2.0, 3.0, 4.0]]}"#;
        vec![("curl", posted(url, body))]
    } else if let Some(model) = url.strip_suffix("/infer") {
        let body = r#"{"inputs": [{"name": "input-0", "shape": [1, 4], "datatype": "FP32", "data": [1.0, 2.0, 3.0, 4.0]}]}"#;
        let inputs = format!(
            "# Names, shapes and types of its inputs:\ncurl -g {} -H \"Authorization: Bearer $TOKEN\"\n\n",
            quoted(model)
        );
        vec![("curl", inputs + &posted(url, body))]
    } else {
        vec![]
    }
}

/// By `curl` and by OpenAI's own client for Python.
fn open_ai(base: &str, operation: &str, body: &str, python: &str) -> Vec<Call> {
    let curl = format!(
        "{}\nMODEL='a name from that answer'\ncurl \"$BASE/{operation}\" \\\n  -H \"Authorization: Bearer $TOKEN\" \\\n  -H 'Content-Type: application/json' \\\n  -d '{{\"model\": \"'\"$MODEL\"'\", {body}}}'\n",
        listed(base)
    );
    vec![("curl", curl), ("Python", with_client(base, python))]
}

/// Asks which models there are.
fn listed(base: &str) -> String {
    format!(
        "BASE={}\n\n# The models that it serves: \"id\" is the name to ask for.\ncurl \"$BASE/models\" -H \"Authorization: Bearer $TOKEN\"\n",
        quoted(base)
    )
}

/// A program that begins with the client and the first model.
fn with_client(base: &str, rest: &str) -> String {
    // A JSON text is a Python text too.
    let base = serde_json::Value::from(base);
    format!(
        "# pip install openai\nimport os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url={base}, api_key=os.environ.get(\"TOKEN\", \"none\"))\nmodel = client.models.list().data[0].id\n{rest}"
    )
}

fn posted(url: &str, body: &str) -> String {
    // -g: braces in an address are no pattern.
    format!(
        "curl -g {} \\\n  -H \"Authorization: Bearer $TOKEN\" \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'\n",
        quoted(url)
    )
}

/// One word for a shell, whatever is in it: addresses come from the cluster.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(url: &str) -> Vec<&'static str> {
        of(url).into_iter().map(|(program, _)| program).collect()
    }

    #[test]
    fn each_protocol_has_its_calls() {
        for url in [
            "http://m.x/openai/v1/chat/completions",
            "http://m.x/v1/embeddings",
            "http://m.x/openai/v1",
            "http://m.x/v1",
        ] {
            assert_eq!(programs(url), ["curl", "Python"], "{url}");
        }
        for url in [
            "http://m.x/v1/models/m:predict",
            "http://m.x/v2/models/m/infer",
        ] {
            assert_eq!(programs(url), ["curl"], "{url}");
        }
        for url in ["http://m.x", "grpc://m.x:9000", "http://m.x/v1/rerank"] {
            assert!(programs(url).is_empty(), "{url}");
        }
    }

    #[test]
    fn a_chat_is_called_by_its_base_and_by_the_name_that_it_says() {
        let calls = of("http://m.x/openai/v1/chat/completions");
        let (curl, python) = (&calls[0].1, &calls[1].1);
        assert!(curl.starts_with("BASE='http://m.x/openai/v1'\n"), "{curl}");
        for part in [
            "curl \"$BASE/models\"",
            "curl \"$BASE/chat/completions\"",
            "Bearer $TOKEN",
            "-d '{\"model\": \"'\"$MODEL\"'\", \"messages\": [",
        ] {
            assert!(curl.contains(part), "{part} in {curl}");
        }
        assert!(python.contains("OpenAI(base_url=\"http://m.x/openai/v1\", "));
    }

    #[test]
    fn an_address_stays_one_word_of_the_shell() {
        let calls = of("http://m.x/';reboot;'/v2/models/m/infer");
        assert!(
            calls[0]
                .1
                .contains(r"'http://m.x/'\'';reboot;'\''/v2/models/m/infer'")
        );
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let endpoint = |url: &str| Endpoint {
            what: "Address".into(),
            url: url.into(),
        };
        assert!(calls(&[endpoint("http://m.x")]).is_none());
        let html = Owner::new().with(|| {
            calls(&[endpoint("http://m.x/v1/models/m:predict")]).map(|view| view.to_html())
        });
        assert!(html.is_some_and(|h| h.contains("<details") && h.contains("$TOKEN")));
    }
}

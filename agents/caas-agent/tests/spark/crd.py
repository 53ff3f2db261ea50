"""Prints a CustomResourceDefinition made from the operator project's own published models, every reference put in its place.

Stricter than the operator's own where that leaves pod templates open. It knows the models' form, not JSON schema in general.
"""

import json

from kubeflow_spark_api.models import SparkV1beta2SparkApplication

SCHEMA = SparkV1beta2SparkApplication.model_json_schema(by_alias=True)
# What the generator could say in no other way than by a class.
EITHER = {"IoK8sApimachineryPkgUtilIntstrIntOrString", "IoK8sApimachineryPkgApiResourceQuantity"}


def structural(node):
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[1]
        return {"x-kubernetes-int-or-string": True} if name in EITHER else structural(SCHEMA["$defs"][name])
    if "anyOf" in node:
        kinds = [kind for kind in node["anyOf"] if kind.get("type") != "null"]
        return structural(kinds[0]) if len(kinds) == 1 else {"x-kubernetes-int-or-string": True}
    made = {key: node[key] for key in ("type", "required") if key in node}
    if node.get("format") in ("int32", "int64", "date-time"):
        made["format"] = node["format"]
    if "properties" in node:
        made["properties"] = {name: structural(child) for name, child in node["properties"].items()}
    if isinstance(node.get("additionalProperties"), dict):
        made["additionalProperties"] = structural(node["additionalProperties"])
    if "items" in node:
        made["items"] = structural(node["items"])
    if not made or made == {"type": "object"}:
        made["x-kubernetes-preserve-unknown-fields"] = True
    return made


def main():
    schema = structural(SCHEMA)
    schema["properties"]["metadata"] = {"type": "object"}
    names = {"kind": "SparkApplication", "plural": "sparkapplications", "singular": "sparkapplication"}
    version = {
        "name": "v1beta2",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "sparkapplications.sparkoperator.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubeflow/spark-operator"},
        },
        "spec": {"group": "sparkoperator.k8s.io", "names": names, "scope": "Namespaced", "versions": [version]},
    }
    print(json.dumps(definition))


main()

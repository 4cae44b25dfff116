"""What is wrong with the values of a configuration file, once it was parsed."""

from __future__ import annotations

from collections.abc import Mapping

from the_sink.checks.parameters import check_instances, check_task_size, check_value, lets_plain_text_in
from the_sink.config.environment_file import EnvironmentFile, effective_parameters
from the_sink.config.problems import Problem, did_you_mean
from the_sink.config.stack_template import FILE as TEMPLATE_FILE
from the_sink.config.stack_template import QUOTE_VERSIONS, RUNTIME, Parameter
from the_sink.naming import RETIRED_RUNTIMES


def check_environment_file(
    content: EnvironmentFile, file: str, declared: Mapping[str, Parameter]
) -> list[Problem]:
    """Return what is wrong with the values of a file that was parsed, and with the defaults that fill it up.

    Args:
        content: What it says.
        file: Its name.
        declared: The parameters of the app's template.
    """
    values = content.parameters
    effective = effective_parameters(content, declared)
    runtime = effective.get(RUNTIME, "")
    # What YAML made of 3.10 is no value that CloudFormation would be given, and none that it would take.
    has_lost_runtime = runtime in {"3.1", "3.10"} and RUNTIME in declared and declared[RUNTIME].has_lost_zero
    problems = []
    for name, value in values.items():
        if declared and name not in declared:
            message = f"{name} is no parameter of aws/cfn-template.yml.{did_you_mean(name, declared)}"
            problems.append(Problem(file, message, "Remove it, or declare it there."))
        elif name == RUNTIME and value == "3.10" and has_lost_runtime:
            pass  # said below, of the template
        elif reason := check_value(name, value, declared.get(name)):
            problems.append(Problem(file, f"{name} {reason}"))
    for name, parameter in declared.items():
        if content.named is not None and parameter.is_required and name not in content.named:
            message = f"{name} is missing; aws/cfn-template.yml has no default for it."
            problems.append(Problem(file, message, f'Add "{name}": "…" to Parameters.'))
    if has_lost_runtime:
        message = f"3.10 stands in {RUNTIME} without quotes, YAML reads it as 3.1, and {file} needs it."
        problems.append(Problem(TEMPLATE_FILE, message, QUOTE_VERSIONS))
    reasons = (check(effective) for check in (check_task_size, check_instances))
    problems.extend(Problem(file, reason) for reason in reasons if reason)
    has_certificate = effective.get("UsePlatformCertificate") == "true" or effective.get(
        "UniqueDomainNameCertificateArn"
    )
    if has_certificate and not effective.get("UniqueDomainName"):
        message = "a certificate without a UniqueDomainName: none is for the load balancer's own address."
        hint = 'Write "UniqueDomainName": "…", or browsers will refuse it.'
        problems.append(Problem(file, message, hint, is_warning=True))
    engine = effective.get("RDSEngineVersion", "")
    if effective.get("RDSInstanceClass") != "none" and lets_plain_text_in(engine):
        message = f"RDSEngineVersion {engine}: before PostgreSQL 15 RDS lets in connections without TLS."
        problems.append(Problem(file, message, 'Choose a later one, such as "17".', is_warning=True))
    retired = RETIRED_RUNTIMES.get(runtime)
    if retired:
        message = f"{RUNTIME} {runtime} is past its end of life ({retired})."
        problems.append(Problem(file, message, "Choose a later one: invoke runtimes.list.", is_warning=True))
    return problems

"""CloudFormation templates, as programs of this machine judge them: AWS's validator, cfn-lint's schemas."""

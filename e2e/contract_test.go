package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// contract is schema.graphqls, and what the tests have seen of it.
var contract *publicContract

type publicContract struct {
	schema *ast.Schema

	mu   sync.Mutex
	seen map[string]bool // "mutation → Member"
}

func readContract() *publicContract {
	text, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		panic(err)
	}
	return &publicContract{
		schema: gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(text)}),
		seen:   map[string]bool{},
	}
}

// mutation returns a field of the type Mutation and the members of its union.
func (c *publicContract) mutation(name string) (*ast.FieldDefinition, []*ast.Definition) {
	field := c.schema.Mutation.Fields.ForName(name)
	return field, c.schema.GetPossibleTypes(c.schema.Types[field.Type.Name()])
}

// document returns an operation that runs a mutation and asks for every field of every member, without aliases: fields of
// one name that could not be selected side by side would fail here.
func (c *publicContract) document(mutation string) string {
	field, members := c.mutation(mutation)
	var b strings.Builder
	if len(field.Arguments) == 0 {
		fmt.Fprintf(&b, "mutation Test { result: %s { __typename", mutation)
	} else {
		fmt.Fprintf(&b, "mutation Test($input: %s) { result: %s(input: $input) { __typename", field.Arguments[0].Type, mutation)
	}
	for _, member := range members {
		fmt.Fprintf(&b, " ... on %s%s", member.Name, c.selection(member))
	}
	b.WriteString(" } }")
	return b.String()
}

// selection returns all fields of a type.
func (c *publicContract) selection(of *ast.Definition) string {
	if len(of.Fields) == 0 {
		return ""
	}
	var names []string
	for _, field := range of.Fields {
		if !strings.HasPrefix(field.Name, "__") {
			names = append(names, field.Name+c.selection(c.schema.Types[field.Type.Name()]))
		}
	}
	return " { " + strings.Join(names, " ") + " }"
}

// TestEverythingIsDocumented holds that every type, field, argument and enum value of the contract has a description.
func TestEverythingIsDocumented(t *testing.T) {
	described := func(what, description string) {
		if description == "" {
			t.Errorf("%s has no description", what)
		}
	}
	for name, definition := range contract.schema.Types {
		if definition.BuiltIn {
			continue
		}
		described(name, definition.Description)
		for _, value := range definition.EnumValues {
			described(name+"."+value.Name, value.Description)
		}
		for _, field := range definition.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			described(name+"."+field.Name, field.Description)
			for _, argument := range field.Arguments {
				described(name+"."+field.Name+"("+argument.Name+")", argument.Description)
			}
		}
	}
}

func (c *publicContract) saw(mutation, member string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[mutation+" → "+member] = true
}

// unseen returns the members, of all mutations, that no test received.
func (c *publicContract) unseen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var missing []string
	for _, field := range c.schema.Mutation.Fields {
		_, members := c.mutation(field.Name)
		for _, member := range members {
			if outcome := field.Name + " → " + member.Name; !c.seen[outcome] {
				missing = append(missing, outcome)
			}
		}
	}
	slices.Sort(missing)
	return missing
}

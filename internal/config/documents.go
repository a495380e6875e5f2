package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxManifestBytes bounds a manifest of trusted documents. A thousand documents take about a megabyte.
const maxManifestBytes = 4 << 20

// Documents are GraphQL documents by the hexadecimal SHA-256 of their text. As a setting they are the path of a JSON file that has them.
type Documents map[string]string

// UnmarshalText implements [encoding.TextUnmarshaler]: it reads the file.
func (d *Documents) UnmarshalText(path []byte) error {
	file, err := os.Open(string(path))
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxManifestBytes+1))
	if err != nil {
		return err
	}
	if len(text) > maxManifestBytes {
		return fmt.Errorf("the file is larger than %d bytes", maxManifestBytes)
	}
	var documents map[string]string
	if err := json.Unmarshal(text, &documents); err != nil {
		return errors.New(`the file must be a JSON object such as {"<SHA-256 of the document, in hexadecimal>": "<document>"}`)
	}
	if len(documents) == 0 {
		return errors.New("the file has no documents")
	}
	for hash, document := range documents {
		if sum := sha256.Sum256([]byte(document)); hex.EncodeToString(sum[:]) != hash {
			return fmt.Errorf("the document under %.64q has SHA-256 %x", hash, sum)
		}
	}
	*d = documents
	return nil
}

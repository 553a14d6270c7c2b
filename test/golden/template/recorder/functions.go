package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"path"
	"sort"
	"strconv"
	"strings"
	"text/template"

	"recorder/memkv"
)

// The functions of confd that need nothing of the machine, by the same functions of Go that confd takes.
func functions(store memkv.Store) template.FuncMap {
	return template.FuncMap{
		"exists":       store.Exists,
		"get":          store.Get,
		"gets":         store.GetAll,
		"getv":         store.GetValue,
		"getvs":        store.GetAllValues,
		"ls":           store.List,
		"lsdir":        store.ListDir,
		"base":         path.Base,
		"dir":          path.Dir,
		"split":        strings.Split,
		"join":         strings.Join,
		"toUpper":      strings.ToUpper,
		"toLower":      strings.ToLower,
		"contains":     strings.Contains,
		"replace":      strings.Replace,
		"trimSuffix":   strings.TrimSuffix,
		"parseBool":    strconv.ParseBool,
		"atoi":         strconv.Atoi,
		"add":          func(a, b int) int { return a + b },
		"sub":          func(a, b int) int { return a - b },
		"mul":          func(a, b int) int { return a * b },
		"div":          func(a, b int) int { return a / b },
		"mod":          func(a, b int) int { return a % b },
		"base64Encode": func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) },
		"base64Decode": func(text string) (string, error) {
			bytes, err := base64.StdEncoding.DecodeString(text)
			return string(bytes), err
		},
		"json": func(text string) (map[string]interface{}, error) {
			var object map[string]interface{}
			err := json.Unmarshal([]byte(text), &object)
			return object, err
		},
		"jsonArray": func(text string) ([]interface{}, error) {
			var array []interface{}
			err := json.Unmarshal([]byte(text), &array)
			return array, err
		},
		"map": func(values ...interface{}) (map[string]interface{}, error) {
			if len(values)%2 != 0 {
				return nil, errors.New("invalid map call")
			}
			entries := map[string]interface{}{}
			for i := 0; i < len(values); i += 2 {
				key, isString := values[i].(string)
				if !isString {
					return nil, errors.New("map keys must be strings")
				}
				entries[key] = values[i+1]
			}
			return entries, nil
		},
		"seq": func(first, last int) []int {
			var numbers []int
			for number := first; number <= last; number++ {
				numbers = append(numbers, number)
			}
			return numbers
		},
		"reverse": func(values interface{}) interface{} {
			switch list := values.(type) {
			case []string:
				for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
					list[i], list[j] = list[j], list[i]
				}
			case []memkv.KVPair:
				for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
					list[i], list[j] = list[j], list[i]
				}
			}
			return values
		},
		"sortByLength": func(list []string) []string {
			sort.SliceStable(list, func(i, j int) bool { return len(list[i]) < len(list[j]) })
			return list
		},
		"sortKVByLength": func(list []memkv.KVPair) []memkv.KVPair {
			sort.SliceStable(list, func(i, j int) bool { return len(list[i].Key) < len(list[j].Key) })
			return list
		},
	}
}
